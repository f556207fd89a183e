// A10: what a caller may not read is missing from lists, workflows and graphs, as if it were not there.

import { hash } from 'node:crypto';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { type AuthorityContext, appendBatch, type Caller, dryRunAppend } from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import { GraphFormat, ValidateDAGRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import {
  EntryKind,
  EntryOrder,
  GetWorkflowRequestSchema,
  ListEntriesRequestSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { makeAuthority } from '../support/authority.ts';
import { authorizerFor, policyText } from '../support/policy.ts';
import { A, ABSENT, B, failureOf, make, NOWHERE, OF_B, recordFor, SHARED, taskOf } from './readers.ts';
import { appendTo, endless, issueFor, verifyFor } from './support.ts';

describe('A10 a workflow', () => {
  test('A10 rejected and absent fail with the same words, after the same look-ups', async () => {
    const { store, service, call } = await make();
    const get = (wid: string) => service.getWorkflow(create(GetWorkflowRequestSchema, { wid }), call(A));
    await expect(Promise.resolve(get(SHARED))).resolves.toMatchObject({ wid: SHARED, size: 2 });
    const asked: string[][] = [];
    const failures: unknown[] = [];
    for (const wid of [OF_B, NOWHERE]) {
      store.asked.length = 0;
      failures.push(await failureOf(() => get(wid)));
      asked.push([...store.asked]);
    }
    expect(failures[0]).toMatchObject({ reason: 'WORKFLOW_NOT_FOUND' });
    expect(failures[0]).toEqual(failures[1]);
    expect(asked[0]).toEqual(asked[1]);
  });
});

describe('A10 a list', () => {
  test('A10 has what the caller may read, and its pages are full: no size tells what lies between', async () => {
    const { service, call } = await make();
    const all = await service.listEntries(create(ListEntriesRequestSchema), call(A));
    const seen = all.entries?.map((entry) => `${taskOf(entry)?.iss} ${taskOf(entry)?.name?.wid}`) ?? [];
    expect(seen.length).toBeGreaterThan(2);
    for (const line of seen)
      expect(line.startsWith('spiffe://prod.example/a ') || line.endsWith(SHARED), line).toBe(true);
    for (let size = 1; size <= seen.length; size++) {
      let [pageToken, found] = ['', 0];
      do {
        const page = await service.listEntries(
          create(ListEntriesRequestSchema, { pageSize: size, pageToken }),
          call(A),
        );
        const rest = seen.length - found;
        expect(page.entries).toHaveLength(Math.min(size, rest));
        found += page.entries?.length ?? 0;
        pageToken = page.nextPageToken ?? '';
      } while (pageToken !== '');
      expect(found).toBe(seen.length);
    }
  });

  test('A10 with contents has those of what is read alone', async () => {
    const { service, call } = await make();
    const page = await service.listEntries(
      create(ListEntriesRequestSchema, { withContent: true, pageSize: 2 }),
      call(A),
    );
    expect(page.entries?.map((entry) => taskOf(entry)?.token !== '')).toEqual([true, true]);
  });

  test('A10 of a workflow that may not be read has no next page, however many tasks it has', async () => {
    const { context, service, call } = await make();
    const content = Buffer.from('x');
    const leaf = () => Buffer.from('{}');
    const many = Array.from({ length: 10_100 }, (_, nth) => {
      const name = `550e8400-e29b-41d4-a716-4466554${String(nth).padStart(5, '0')}`;
      const digest = hash('sha256', name, 'buffer');
      return context.ledger.append({ scope: OF_B, name, author: B.id, digest, content, leaf });
    });
    await Promise.all(many);
    const list = (wid: string) => service.listEntries(create(ListEntriesRequestSchema, { wid }), call(A));
    expect(await list(OF_B)).toEqual({ entries: [], nextPageToken: '' });
    expect(await list(OF_B)).toEqual(await list(NOWHERE));
  });

  test('A10 by an issuer has the same pages whether it has ten thousand hidden entries or none', async () => {
    const { context, service, call, tasks } = await make();
    const content = Buffer.from('x');
    const leaf = () => Buffer.from('{}');
    const HIDDEN = 'spiffe://prod.example/hidden';
    const many = Array.from({ length: 20_100 }, (_, nth) => {
      const name = `550e8400-e29b-41d4-a716-4466554${String(nth).padStart(5, '0')}`;
      const digest = hash('sha256', name, 'buffer');
      return context.ledger.append({ scope: '', name, author: HIDDEN, digest, content, leaf });
    });
    await Promise.all(many);
    const last = await recordFor(context, B, SHARED);
    const own = await recordFor(context, A, '');
    /** Every page: what is on it, and the place of the next one. The rest of a token says what is listed. */
    const pagesOf = async (caller: Caller, query: MessageInitShape<typeof ListEntriesRequestSchema>) => {
      const pages: (readonly (string | undefined)[])[] = [];
      let pageToken = '';
      do {
        const page = await service.listEntries(create(ListEntriesRequestSchema, { ...query, pageToken }), call(caller));
        pageToken = page.nextPageToken ?? '';
        const names = page.entries?.map((entry) => taskOf(entry)?.name?.jti) ?? [];
        pages.push([Buffer.from(pageToken, 'base64url').subarray(-6).toString('hex'), ...names]);
      } while (pageToken !== '');
      return pages;
    };
    for (const order of [EntryOrder.OLDEST_FIRST, EntryOrder.NEWEST_FIRST]) {
      for (const range of [{}, { fromIndex: 50n }, { kinds: [EntryKind.TASK] }, { recordedFrom: timestampFromMs(1) }]) {
        const hidden = await pagesOf(A, { iss: HIDDEN, order, ...range });
        expect(hidden).toHaveLength(3);
        expect(hidden).toEqual(await pagesOf(A, { iss: 'spiffe://prod.example/absent', order, ...range }));
      }
    }
    const later = { iss: HIDDEN, recordedFrom: timestampFromMs(8_640_000_000_000) };
    expect(await pagesOf(A, later)).toEqual([['']]);
    // What it may see of another it finds on the way, and its own at once.
    const ofB = (await pagesOf(A, { iss: B.id })).map(([, ...names]) => names);
    expect(ofB).toEqual([[tasks.sharedByB], [], [last]]);
    const page = (await pagesOf(A, { iss: B.id, pageSize: 1, order: EntryOrder.NEWEST_FIRST })).map(
      ([, ...names]) => names,
    );
    expect(page.flat()).toEqual([last, tasks.sharedByB]);
    expect(await pagesOf(A, { iss: A.id })).toEqual([['', tasks.ofA, tasks.sharedByA, own]]);
  });

  test('A10 by an issuer that the caller may not read is empty', async () => {
    const { service, call } = await make(policyText('examples/auditor.cedar'));
    const page = await service.listEntries(create(ListEntriesRequestSchema, { iss: B.id }), call(A));
    expect(page).toEqual({ entries: [], nextPageToken: '' });
  });
});

describe('A10 the name of a task in a workflow that the caller may not read', () => {
  /** How a task that follows each of two names is rejected, and what was looked up meanwhile. */
  async function compare(follow: (context: AuthorityContext, pred: string) => Promise<unknown>) {
    const { store, context, tasks } = await make();
    const asked: string[][] = [];
    const answers: string[] = [];
    for (const pred of [tasks.apart, ABSENT]) {
      store.asked.length = 0;
      const answer = await failureOf(() => follow(context, pred)).then(JSON.stringify);
      answers.push(answer.replaceAll(pred, 'PRED'));
      asked.push([...store.asked]);
    }
    return { asked, answers };
  }

  test.each([
    ['of its own', SHARED],
    ['that is new', NOWHERE],
    ['of none', ''],
  ])('A10 is revealed by no task %s that would follow it and be recorded', async (_, wid) => {
    const { asked, answers } = await compare((context, pred) =>
      issueFor(context, { wid, level: 'L3', pred: [pred] }, A),
    );
    expect(answers[0]).toContain('DAG_PREDECESSOR_MISSING');
    expect(answers[0]).not.toContain(OF_B);
    expect(answers[0]).toBe(answers[1]);
    expect(asked[0]).toEqual(asked[1]);
  });

  test('A10 nor by one that leaves unrecorded, when it is verified, appended or tried', async () => {
    for (const use of ['append', 'batch', 'verify', 'dry-run'] as const) {
      const { answers } = await compare(async (context, pred) => {
        const { token } = await issueFor(context, { wid: NOWHERE, pred: [pred] }, A);
        if (use === 'append') return appendTo(context, token, A);
        if (use === 'batch') {
          const [rejected] = await appendBatch(context, A, [token], endless.signal);
          if (rejected instanceof EctError) throw rejected;
          return rejected;
        }
        const { failures } =
          use === 'verify'
            ? await verifyFor(context, token, { dag: 'complete' }, A)
            : (await dryRunAppend(context, A, token, endless)).verdict;
        throw new EctError(failures[0]!.rejection);
      });
      expect(answers[0], use).toContain('DAG_PREDECESSOR_MISSING');
      expect(answers[0], use).toBe(answers[1]);
    }
  });

  test('A10 a caller that may read it learns that it is elsewhere', async () => {
    const { context, tasks } = await make();
    const failure = await failureOf(() => issueFor(context, { wid: NOWHERE, level: 'L3', pred: [tasks.apart] }, B));
    expect(failure).toMatchObject({ reason: 'DAG_WORKFLOW_MISMATCH' });
  });
});

describe('A10 the past of a token', () => {
  async function chain(policy: string) {
    const { context: base } = await makeAuthority();
    const first = (await issueFor(base, { wid: OF_B, level: 'L3' }, B)).claims.jti;
    const last = (await issueFor(base, { wid: OF_B, level: 'L3', pred: [first] }, B)).claims.jti;
    const context: AuthorityContext = { ...base, authorizer: authorizerFor(policy) };
    const validate = async (token: string, caller: Caller) => {
      const subject = { case: 'token', value: token } as const;
      const request = create(ValidateDAGRequestSchema, { subject, graphFormat: GraphFormat.MERMAID });
      const signal = new AbortController().signal;
      const answer = await authorityService(context).procedures.validateDAG(request, {
        method: 'test',
        caller,
        signal,
        note() {},
      });
      return JSON.stringify(answer, (_name, value) => (typeof value === 'bigint' ? String(value) : value));
    };
    return { context, first, last, validate };
  }

  test.each([
    ['of that workflow', OF_B],
    ['of none', ''],
  ])(
    'A10 a token %s that follows a task which may not be read shows that task, and nothing behind it',
    async (_, wid) => {
      const { context, first, last, validate } = await chain(policyText('examples/own-entries.cedar'));
      const { token } = await issueFor(context, { wid, pred: [last] }, A);
      const shown = await validate(token, A);
      expect(shown).toContain(last);
      expect(shown).not.toContain(first);
    },
  );

  test('A10 nor does a workflow of its own that follows such a task', async () => {
    const { context: base } = await makeAuthority();
    const first = (await issueFor(base, { level: 'L3' }, B)).claims.jti;
    const last = (await issueFor(base, { level: 'L3', pred: [first] }, B)).claims.jti;
    await issueFor(base, { level: 'L3', wid: SHARED, pred: [last] }, A);
    const drawn = async (authorizer: AuthorityContext['authorizer']) => {
      const subject = { case: 'wid', value: SHARED } as const;
      const request = create(ValidateDAGRequestSchema, { subject, graphFormat: GraphFormat.MERMAID });
      const call = { method: 'test', caller: A, signal: new AbortController().signal, note() {} };
      const { procedures } = authorityService(authorizer === undefined ? base : { ...base, authorizer });
      return procedures.validateDAG(request, call);
    };
    const [all, shown] = [await drawn(undefined), await drawn(authorizerFor(policyText('examples/own-entries.cedar')))];
    expect(all.drawing).toContain(first);
    expect(shown.drawing).toContain(last);
    expect(shown.drawing).not.toContain(first);
    expect(shown.dagReport).toMatchObject({ status: all.dagReport?.status, pathLevel: all.dagReport?.pathLevel });
    expect([shown.size, shown.depth]).toEqual([all.size, all.depth]);
  });

  test('A10 a caller that may read the workflow sees all of it', async () => {
    const { context, first, last, validate } = await chain(policyText('examples/own-entries.cedar'));
    const { token } = await issueFor(context, { wid: OF_B, pred: [last] }, B);
    expect(await validate(token, B)).toContain(first);
  });
});

// GetAuthority and `/.well-known/ect-authority`: one document, whose limits are those that are met.

import { globSync, readFileSync } from 'node:fs';
import { create, fromJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { authorityDescriber, authorityPage } from '../../src/api/authority-document.ts';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { readRotation } from '../../src/api/key-messages.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import { readMarkInput } from '../../src/api/mark-requests.ts';
import { checkNote } from '../../src/api/note.ts';
import { checkTaskName } from '../../src/api/request-fields.ts';
import { readVerifyInput } from '../../src/api/verify-request.ts';
import { type AnyService, accessOf, type Call } from '../../src/calls/call.ts';
import { MarkCompromisedRequestSchema, RotateKeyRequestSchema } from '../../src/gen/ect/v1/admin_pb.ts';
import {
  AuthorityLimitsSchema,
  BatchIssueRequestSchema,
  GetAuthorityRequestSchema,
  type GetAuthorityResponse,
  GetAuthorityResponseSchema,
  VerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ListEntriesRequestSchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { issueFor, reasonOf } from '../authority/support.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { policy } from '../support/tokens.ts';

const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => undefined,
};
const FACTS = { version: '1.2.3', durable: true, delegatedKeys: false, provenCallers: false, writtenBytesPerHour: 0 };

async function setUp(overrides = {}, url = () => 'https://ect.example') {
  const { context } = await makeAuthority(undefined, overrides);
  const describeAuthority = authorityDescriber(context, { ...FACTS, url });
  const service = authorityService(context, describeAuthority);
  const answer = (await service.procedures.getAuthority(
    create(GetAuthorityRequestSchema),
    CALL,
  )) as GetAuthorityResponse;
  return { context, service, answer, page: authorityPage(describeAuthority, 300) };
}

describe('the document', () => {
  test('is the answer of the method, with the names of its fields', async () => {
    const { answer, page } = await setUp();
    const { body, maxAgeSeconds } = await page.read();
    const json = JSON.parse(String(body));
    expect(fromJson(GetAuthorityResponseSchema, json)).toEqual(answer);
    expect(json).toMatchObject({
      issuer: 'urn:ect:test',
      version: '1.2.3',
      signing_alg: 'ES256',
      verification_algs: ['ES256'],
      drafts: ['draft-nennemann-wimse-ect-00', 'draft-nennemann-wimse-ect-01'],
      jwks_uri: 'https://ect.example/.well-known/jwks.json',
      endpoints: {
        'ect.v1.AdminService': 'https://ect.example/ect.v1.AdminService',
        'ect.v1.AuthorityService': 'https://ect.example/ect.v1.AuthorityService',
        'ect.v1.KeyService': 'https://ect.example/ect.v1.KeyService',
        'ect.v1.LedgerService': 'https://ect.example/ect.v1.LedgerService',
      },
      ledger: { origin: 'test.example/ledger', audience: '' },
      limits: {
        message_bytes: 262_144,
        batch_message_bytes: 4_194_304,
        answer_bytes: 4_194_304,
        predecessors: 100,
        default_ttl: '600s',
      },
      features: { minimum_level: 'LEVEL_L2', uuid_ids: true, durable: true, delegated_keys: false },
    });
    expect(maxAgeSeconds).toBe(300);
  });

  test('names the ledger as its checkpoints do, and follows the address once that is known', async () => {
    let url = '';
    const { context, answer, page } = await setUp({}, () => url);
    const { origin, verifierKey } = await context.ledger.checkpoint();
    expect(answer.ledger).toMatchObject({ origin, verifierKey });
    url = 'http://127.0.0.1:1';
    expect(JSON.parse(String((await page.read()).body))).toMatchObject({
      jwks_uri: 'http://127.0.0.1:1/.well-known/jwks.json',
    });
  });

  test('is public, as no other method of its service is', async () => {
    const { service } = await setUp();
    const access = Object.fromEntries(
      service.descriptor.methods.map(({ localName }) => [localName, accessOf(service as AnyService, localName)]),
    );
    const { getAuthority, ...others } = access;
    expect([getAuthority, ...new Set(Object.values(others))]).toEqual(['public', 'callers']);
  });
});

describe('every limit', () => {
  test('has a value, but for the quota that the operator has switched off', async () => {
    const { answer } = await setUp();
    const { limits } = answer;
    const unset = AuthorityLimitsSchema.fields.filter(
      ({ localName }) => !Number(numberIn(limits?.[localName as never])),
    );
    expect(unset.map(({ name }) => name)).toEqual(['written_bytes_per_hour']);
  });

  test('that an error names is announced, as it is where it is checked', () => {
    // The constant behind each `limit_…` of an error, by the field that announces it.
    const announced: Readonly<Record<string, string>> = {
      MAX_ANSWER_BYTES: 'answer_bytes',
      MAX_EXT_BYTES: 'extension_bytes',
      MAX_EXT_DEPTH: 'extension_depth',
      maxTokenBytes: 'token_bytes',
      // Of a token, and of values: `message_values` or `batch_objects`.
      limit: 'token_bytes',
      'limits.maxHeaderBytes': 'header_bytes',
      MAX_DEPTH: 'message_depth',
      MAX_RATIO: 'compression_ratio',
      // Of a method: `message_bytes` or `batch_message_bytes`.
      maxBytes: 'message_bytes',
    };
    const found = new Set<string>();
    for (const path of globSync('src/**/*.ts')) {
      const source = readFileSync(path, 'utf8');
      for (const [, value = ''] of source.matchAll(/\blimit_[a-z]+: (?:String\(([\w.]+)\)|'\d+')/g)) found.add(value);
    }
    expect([...found].toSorted()).toEqual(Object.keys(announced).toSorted());
    const names = AuthorityLimitsSchema.fields.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.values(announced)));
  });

  test('that is a quota is named as QUOTA_EXCEEDED names it', () => {
    const comment = readFileSync('proto/ect/v1/error_reason.proto', 'utf8').split('ERROR_REASON_QUOTA_EXCEEDED')[0]!;
    const quotas =
      comment
        .split('`quota` is one of')[1]
        ?.split('Retry:')[0]
        ?.match(/`[a-z_]+`/g)
        ?.map((name) => name.slice(1, -1)) ?? [];
    const names = AuthorityLimitsSchema.fields.map(({ name }) => name);
    expect(quotas.length).toBe(7);
    // What the operator grants single callers is not for everybody.
    expect(quotas.filter((quota) => !names.includes(quota))).toEqual(['calls_per_second', 'concurrent_calls']);
  });
});

function numberIn(value: unknown): unknown {
  return typeof value === 'object' ? (value as { seconds: bigint }).seconds : value;
}

describe('a limit is the last that is taken', () => {
  const many = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
  const uuid = (at: number) => `00000000-0000-4000-8000-${at.toString(16).padStart(12, '0')}`;
  const order = (fields: object) =>
    readIssueInput(create(BatchIssueRequestSchema, { items: [{ request: fields }] }).items[0]!.request!);

  test('of what a token says, as it is configured', async () => {
    const token = { ...policy, maxLifetimeSeconds: 7_200, maxAgeSeconds: 60, maxFutureSeconds: 5 };
    const { context, answer } = await setUp({ token, defaultTtlSeconds: 120 });
    const { limits } = answer;
    const times = { maxTtl: 7_200, tokenAge: 60, clockSkew: 5, defaultTtl: 120 };
    for (const [name, seconds] of Object.entries(times)) {
      expect(limits).toMatchObject({ [name]: { seconds: BigInt(seconds), nanos: 0 } });
    }
    const { audiences = 0, predecessors = 0 } = limits ?? {};
    const { claims } = await issueFor(context);
    expect(claims.exp - claims.iat).toBe(times.defaultTtl);
    const cases: readonly [object, object][] = [
      [{ aud: many(audiences, (at) => `urn:${at}`) }, { aud: many(audiences + 1, (at) => `urn:${at}`) }],
      [{ pred: many(predecessors, uuid) }, { pred: many(predecessors + 1, uuid) }],
      [{ ttlSeconds: times.maxTtl }, { ttlSeconds: times.maxTtl + 1 }],
    ];
    for (const [taken, rejected] of cases) {
      expect(await reasonOf(issueFor(context, taken))).toBe('OK');
      expect(await reasonOf(issueFor(context, rejected))).not.toBe('OK');
    }
  });

  test('of an extension', async () => {
    const { extensionBytes = 0, extensionDepth = 0 } = (await setUp()).answer.limits ?? {};
    const { context } = await makeAuthority();
    const ext = (text: string) =>
      reasonOf(
        (async () =>
          issueFor(context, {
            ext: order({ execAct: 'a', aud: ['urn:x'], extension: { case: 'ectExtJson', value: text } }).ext,
          }))(),
      );
    const long = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    const deep = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
    expect([await ext(long(extensionBytes)), await ext(long(extensionBytes + 1))]).toEqual(['OK', 'EXT_TOO_LARGE']);
    expect([await ext(deep(extensionDepth)), await ext(deep(extensionDepth + 1))]).toEqual(['OK', 'EXT_TOO_DEEP']);
  });

  test('of items, of tokens that come along, of pages', async () => {
    const { context, service, answer } = await setUp();
    const { batchItems = 0, predecessorTokens = 0, pageEntries = 0 } = answer.limits ?? {};
    const batch = (count: number) =>
      service.procedures.batchIssue(create(BatchIssueRequestSchema, { items: many(count, () => ({})) }), CALL);
    expect(await reasonOf(Promise.resolve(batch(batchItems)))).toBe('OK');
    expect(await reasonOf(Promise.resolve(batch(batchItems + 1)))).toBe('REQUEST_INVALID');
    const along = async (count: number) =>
      readVerifyInput(create(VerifyRequestSchema, { token: 't', predecessorTokens: many(count, (at) => `t${at}`) }));
    expect(await reasonOf(along(predecessorTokens))).toBe('OK');
    expect(await reasonOf(along(predecessorTokens + 1))).toBe('REQUEST_INVALID');
    const { answerBytes } = ledgerService(context);
    const roomFor = (pageSize: number) =>
      answerBytes?.listEntries?.(create(ListEntriesRequestSchema, { pageSize, withContent: false }), CALL);
    expect(roomFor(pageEntries + 1)).toBe(roomFor(pageEntries));
    expect(roomFor(Math.floor(pageEntries / 4))).toBeLessThan(Number(roomFor(pageEntries)));
  });

  test('of ids, names, URIs and texts', async () => {
    for (const ids of ['uuid', 'text'] as const) {
      const { context, answer } = await setUp({ token: { ...policy, ids } });
      const {
        idCharacters = 0,
        uriBytes = 0,
        execActCharacters = 0,
        extensionTextCharacters = 0,
      } = answer.limits ?? {};
      const { nameBytes = 0, noteCharacters = 0 } = answer.limits ?? {};
      const id = (length: number) => (ids === 'uuid' ? `${uuid(1)}x`.slice(0, length) : 'i'.repeat(length));
      const uri = (length: number) => `urn:${'x'.repeat(length - 4)}`;
      const issued = (fields: object) => reasonOf((async () => issueFor(context, fields))());
      const read = (fields: object) => reasonOf((async () => order({ execAct: 'a', aud: ['urn:x'], ...fields }))());
      const { keyNameCharacters = 0, lookupIdCharacters = 0, kidCharacters = 0 } = answer.limits ?? {};
      const characters = (length: number) => '😀'.repeat(length);
      const rotated = (name: string) => {
        const source = { case: 'existing', value: { name } } as const;
        return reasonOf((async () => readRotation(create(RotateKeyRequestSchema, { source })))());
      };
      const marked = (kid: string) =>
        reasonOf(
          (async () =>
            readMarkInput(create(MarkCompromisedRequestSchema, { subject: { case: 'kid', value: kid } }), ids))(),
        );
      const soughtBy = (name: { readonly wid?: string; readonly jti?: string }) =>
        reasonOf((async () => checkTaskName({ wid: '', jti: 'j', ...name }))());
      const note = (length: number) => reasonOf((async () => checkNote('n'.repeat(length)))());
      const astral = (length: number) => ({
        case: 'ectExtJson',
        value: `{"a":"${characters(100)}"}${' '.repeat(length - 108)}`,
      });
      const text = (length: number) => ({ case: 'ectExtJson', value: `{}${' '.repeat(length - 2)}` });
      for (const [last, take] of [
        [idCharacters, (length: number) => issued({ jti: id(length) })],
        [idCharacters, (length: number) => issued({ wid: id(length) })],
        [uriBytes, (length: number) => issued({ aud: [uri(length)] })],
        [uriBytes, (length: number) => issued({ iss: `${ISSUER}/${'x'.repeat(length - ISSUER.length - 1)}` })],
        [execActCharacters, (length: number) => issued({ execAct: 'a'.repeat(length) })],
        [extensionTextCharacters, (length: number) => read({ extension: text(length) })],
        [nameBytes, (length: number) => read({ requestId: 'r'.repeat(length) })],
        [noteCharacters, note],
        [execActCharacters, (length: number) => issued({ execAct: characters(length) })],
        [extensionTextCharacters, (length: number) => read({ extension: astral(length) })],
        [noteCharacters, (length: number) => reasonOf((async () => checkNote(characters(length)))())],
        [kidCharacters, (length: number) => marked('k'.repeat(length))],
        [kidCharacters, (length: number) => marked(characters(length))],
        [keyNameCharacters, (length: number) => rotated('n'.repeat(length))],
        [lookupIdCharacters, (length: number) => soughtBy({ jti: 'j'.repeat(length) })],
        [lookupIdCharacters, (length: number) => soughtBy({ wid: 'w'.repeat(length) })],
      ] as const) {
        expect([await take(last), await take(last + 1)], String(take)).toEqual([
          'OK',
          expect.not.stringMatching(/^OK$/),
        ]);
      }
    }
  });

  test('a text of an extension that is as long as it may be fits into a token', async () => {
    const { context, answer } = await setUp();
    const value = `{}${' '.repeat((answer.limits?.extensionTextCharacters ?? 0) - 2)}`;
    const { ext } = order({ execAct: 'a', aud: ['urn:x'], extension: { case: 'ectExtJson', value } });
    expect(await reasonOf(issueFor(context, { ext }))).toBe('OK');
  });

  test('of a level: the lowest that is taken is named', async () => {
    const { answer } = await setUp({ token: { ...policy, minimumLevel: 'L1' } });
    expect(answer.features?.minimumLevel).toBe(Level.L1);
  });
});

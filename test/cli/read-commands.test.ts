// The commands that mark tasks and read the ledger, against a real service: taint, dag, list, entry, checkpoint.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/ledger/index.ts';
import { ect } from './run.ts';
import { at, directory, file, ISSUER, issue, service } from './served.ts';

describe('taint', () => {
  test('a task is marked once, and what came after it is shown as tainted', async () => {
    const [wid, root] = [randomUUID(), randomUUID()];
    await issue('--wid', wid, '--jti', root, '--level', 'L3');
    const next = await issue('--wid', wid, '--pred', root, '--level', 'L3');
    const first = await ect(['taint', '--jti', root, '--wid', wid, '--note', 'agent was hijacked', '--yes', ...at]);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^✓ marked\n {2}index +\d+\n {2}kind +taint\n {2}jti/);
    const again = await ect(['taint', '--jti', root, '--wid', wid, '--note', 'no news', '--json', '--yes', ...at]);
    const { duplicate, entry } = JSON.parse(again.out) as {
      duplicate: boolean;
      entry: { index: string; taint: { task: object; statement: string } };
    };
    expect({ duplicate, task: entry.taint.task }).toEqual({ duplicate: true, task: { wid, jti: root } });
    expect(entry.taint.statement).toContain('agent was hijacked');

    const graph = await ect(['dag', '--wid', wid, ...at]);
    expect(graph.code).toBe(0);
    expect(graph.out).toContain(`! ${root} is tainted: it was marked as compromised (marked at index ${entry.index})`);
    expect(graph.out).toContain(`is tainted: it comes after ${root}, which was marked as compromised`);
    expect(graph.out).toMatch(/path level +L3/);
    expect((await ect(['dag', '--wid', wid, '--mermaid', ...at])).out).toContain('class t0 tainted');
    const verdict = await ect(['verify', next, '--audience', ISSUER, '--no-replay', '--dag-mode', 'complete', ...at]);
    expect(verdict.code).toBe(0);
    expect(verdict.out).toContain(`! ${root} is tainted`);

    const shown = await ect(['entry', '--index', entry.index, ...at]);
    expect(shown.out).toMatch(/marked by +anonymous/);
    expect(shown.out).toMatch(/proof +none\n/);
    expect(shown.out).toContain('agent was hijacked');
  });

  test('a key is marked by its id, and the receipt can be kept', async () => {
    const kept = join(directory, 'mark.tlog-proof');
    const { code, err } = await ect(['taint', '--kid', 'stolen', '--receipt-out', kept, '--yes', ...at]);
    expect(code).toBe(0);
    expect(err).toContain(`receipt: ${kept}\nleaf: ${join(directory, 'mark.leaf')}\n`);
    const json = await ect(['taint', '--kid', 'stolen', '--json', '--yes', ...at]);
    expect(JSON.parse(json.out)).toMatchObject({ duplicate: true, entry: { taint: { kid: 'stolen' } } });
  });

  test('a mark on a task or key that is not known has a warning, because the id may be wrong', async () => {
    const [wid, jti] = [randomUUID(), randomUUID()];
    await issue('--wid', wid, '--jti', jti, '--level', 'L3');
    const mark = async (...subject: readonly string[]) => ect(['taint', ...subject, '--yes', ...at]);
    expect((await mark('--jti', jti, '--wid', wid)).err).toBe('');
    const withoutWid = await mark('--jti', jti);
    expect([withoutWid.code, withoutWid.err]).toEqual([0, expect.stringContaining('repeat the command with --wid')]);
    expect((await mark('--jti', jti, '--wid', randomUUID())).err).toContain('has no such task in this workflow');
    expect((await mark('--kid', 'mistyped')).err).toContain('! the service has no key with this id');
  });

  test('nothing, or a task that cannot be one, is not marked', async () => {
    expect((await ect(['taint', '--yes', ...at])).code).toBe(2);
    expect((await ect(['taint', '--kid', 'k', '--jti', randomUUID(), '--yes', ...at])).code).toBe(2);
    const { code, err } = await ect(['taint', '--jti', 'no uuid', '--yes', ...at]);
    expect(code).toBe(2);
    expect(err).toContain('✗ REQUEST_INVALID');
    expect(err).toContain('--jti must be');
  });
});

describe('dag', () => {
  const wid = randomUUID();
  const [a, b] = [randomUUID(), randomUUID()];
  let tokens: readonly string[] = [];

  beforeAll(async () => {
    tokens = [await issue('--wid', wid, '--jti', a, '--level', 'L3')];
    tokens = [...tokens, await issue('--wid', wid, '--jti', b, '--pred', a, '--level', 'L3')];
  });

  test('a recorded workflow is complete', async () => {
    const { code, out } = await ect(['dag', '--wid', wid, ...at]);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ complete\n {2}tasks +2\n {2}longest path +2\n/);
    expect(JSON.parse((await ect(['dag', '--wid', wid, '--json', ...at])).out)).toMatchObject({
      dagReport: { status: 'DAG_STATUS_COMPLETE', violations: [] },
      roots: [{ wid, jti: a }],
      leaves: [{ wid, jti: b }],
    });
  });

  test('a drawing is all that stdout gets', async () => {
    const mermaid = await ect(['dag', '--wid', wid, '--mermaid', ...at]);
    expect(mermaid.out).toMatch(/^(flowchart|graph) /);
    const dot = await ect(['dag', '--wid', wid, '--dot', ...at]);
    expect(dot.out).toMatch(/^digraph [\s\S]*\}\n$/);
    expect([mermaid.code, mermaid.err, dot.code, dot.err]).toEqual([0, '', 0, '']);
  });

  test('its tasks are listed with what was done and after which tasks; those of a bundle and of a token too', async () => {
    const lines = `\n${a}  review_spec  root\n${b}  review_spec  after ${a}\n`;
    expect((await ect(['dag', '--wid', wid, ...at])).out).toContain(lines);
    expect((await ect(['dag', '--bundle', '-', ...at], tokens.join('\n'))).out).toContain(lines);
    const handed = ['--token', tokens[1] ?? '', '--pred-token', tokens[0] ?? ''];
    expect((await ect(['dag', ...handed, ...at])).out).toContain(lines);
  });

  test('list names the entries of the ledger and the workflows that they form', async () => {
    const entries = await ect(['list', 'entries', '--wid', wid, ...at]);
    expect(entries.code).toBe(0);
    expect(entries.out).toMatch(
      new RegExp(`^ +\\d+ {2}\\S+Z {2}task {2}${a} {2}${wid} {2}${ISSUER}\\n +\\d+ {2}\\S+Z {2}task {2}${b} {2}`),
    );
    const all = (await ect(['list', 'entries', '--json', ...at])).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(all.map(({ index }) => index)).toEqual(all.map((_, at) => String(at)));
    expect(all[0]).toMatchObject({ index: '0', key: { state: 'KEY_STATE_ANNOUNCED', statedBy: 'service' } });
    // The change of the key and its kid are printed.
    const keys = await ect(['list', 'entries', '--limit', '2', ...at]);
    const events = ['announced', 'active'].map(
      (state, place) => ` +${place} {2}\\S+Z {2}key-${state} {2}${all[0].key.kid} {2}-`,
    );
    expect(keys.out).toMatch(new RegExp(`^${events.join('.*\\n')}`));
    expect((await ect(['entry', '--index', '1', ...at])).out).toMatch(/^kind +key active$/m);
    expect((await ect(['list', 'entries', '--limit', '2', ...at])).out.split('\n')).toHaveLength(3);
    expect((await ect(['list', 'entries', '--before', '1', ...at])).out).toBe('');
    const indexesOf = async (...options: string[]) =>
      (await ect(['list', 'entries', ...options, ...at])).out
        .split('\n')
        .slice(0, -1)
        .map((line) => Number.parseInt(line, 10));
    const inOrder = await indexesOf();
    expect(inOrder.slice(0, 2)).toEqual([0, 1]);
    expect(await indexesOf('--order', 'newest')).toEqual(inOrder.toReversed());
    expect(await indexesOf('--order', 'newest', '--limit', '2')).toEqual(inOrder.slice(-2).reverse());
    expect(await indexesOf('--from', '2')).toEqual(inOrder.slice(2));
    expect(await indexesOf('--kind', 'key')).toEqual([0, 1]);
    const ofKinds = all
      .filter(({ task, key }) => task !== undefined || key !== undefined)
      .map(({ index }) => Number(index));
    expect(await indexesOf('--kind', 'task', 'key', '--order', 'newest')).toEqual(ofKinds.toReversed());
    expect((await ect(['list', 'entries', '--kind', 'taks', ...at])).code).toBe(2);

    const workflows = await ect(['list', 'workflows', ...at]);
    expect(workflows.out).toMatch(new RegExp(`^${wid} {2}2 tasks {2}\\S+Z {2}\\S+Z$`, 'm'));
    const json = JSON.parse((await ect(['list', 'workflows', '--json', ...at])).out);
    expect(json).toContainEqual(expect.objectContaining({ wid, tasks: 2 }));
    expect((await ect(['list', 'workflows', '--before', '1', ...at])).err).toContain('no workflow is recorded');
  });

  test('only a complete graph exits with 0, unless a partial one is allowed', async () => {
    const orphan = await issue('--pred', randomUUID());
    const strict = await ect(['dag', '--token', orphan, ...at]);
    expect(strict.code).toBe(1);
    expect(strict.out).toContain('✗ partial');
    expect((await ect(['dag', '--token', orphan, '--allow-partial', ...at])).code).toBe(0);
  });

  test('a bundle is read as JSON or line by line, and judged by itself', async () => {
    const lines = await file('bundle.txt', `${tokens.join('\n')}\n`);
    expect((await ect(['dag', '--bundle', lines, ...at])).code).toBe(0);
    const json = await file('bundle.json', JSON.stringify(tokens.slice(1)));
    const { code, out } = await ect(['dag', '--bundle', json, ...at]);
    expect(code).toBe(1);
    expect(out).toContain(`? ${a} was not found`);
    expect((await ect(['dag', '--bundle', await file('bad-bundle.json', '[1]'), ...at])).code).toBe(2);
    // What cannot be read is a violation, and no task.
    const { out: unreadable } = await ect(['dag', '--bundle', '-', ...at], 'no.to.ken');
    expect(unreadable).toContain('TOKEN_MALFORMED');
    expect(unreadable).not.toContain('(erased)');
  });

  test('an unknown workflow is rejected', async () => {
    const { code, err } = await ect(['dag', '--wid', randomUUID(), ...at]);
    expect(code).toBe(1);
    expect(err).toContain('✗ WORKFLOW_NOT_FOUND');
  });
});

describe('entry and checkpoint', () => {
  test('an entry is found by its task and by its index', async () => {
    const [jti, wid] = [randomUUID(), randomUUID()];
    const token = await issue('--jti', jti, '--wid', wid, '--level', 'L3');
    const byTask = await ect(['entry', '--jti', jti, '--wid', wid, '--json', ...at]);
    const { entry } = JSON.parse(byTask.out) as { entry: { index: string; task: { token: string } } };
    expect(entry.task.token).toBe(token);
    const byIndex = await ect(['entry', '--index', entry.index, ...at]);
    expect(byIndex.code).toBe(0);
    expect(byIndex.out).toContain(token);
    expect(byIndex.out).toMatch(new RegExp(`jti +${jti}`));
  });

  test('an entry that is not there is rejected', async () => {
    const { code, err } = await ect(['entry', '--jti', randomUUID(), ...at]);
    expect(code).toBe(1);
    expect(err).toContain('✗ ENTRY_NOT_FOUND');
    const beyond = await ect(['entry', '--index', '9999', ...at]);
    expect(beyond.code).toBe(1);
    expect(beyond.err).toContain('✗ INDEX_OUT_OF_RANGE');
    expect(beyond.err).not.toContain('Check jti and wid');
    expect(beyond.err).toMatch(/The ledger has no entry 9999: it has \d+ entries, indexes 0 to \d+/);
  });

  test('the checkpoint is printed byte for byte, so that it opens under the printed key', async () => {
    const { out: note } = await ect(['checkpoint', ...at]);
    const { out: key } = await ect(['checkpoint', '--key', ...at]);
    expect(openCheckpoint(note, key.trim())).toMatchObject({ ok: true });
  });

  test('the verifier key is the same from the service and from its data directory', async () => {
    const online = await ect(['checkpoint', '--key', ...at]);
    const offline = await ect(['checkpoint', '--key', '--data-dir', service.dataDir]);
    expect(offline.code).toBe(0);
    expect(offline.out).toBe(online.out);
  });
});

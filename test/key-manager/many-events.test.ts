// K11: the key events of years: 50,000 in the full run, and KEY_EVENTS=1000000 in CI.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { KEY_SCOPE } from '../../src/key-manager/index.ts';
import { readKeyEntry } from '../../src/key-manager/key-entry.ts';
import { KeyHistory } from '../../src/key-manager/key-history.ts';
import type { KeyRecord } from '../../src/key-manager/key-states.ts';
import { forgottenAt } from '../../src/key-manager/published.ts';
import { Ledger, type LedgerRecord, type LedgerStore } from '../../src/ledger/index.ts';
import { SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { ISSUER } from '../support/authority.ts';
import { rounds } from '../support/full.ts';
import { type Written, writeKeyEvents } from '../support/key-events.ts';
import { LIFETIME, makeLocalSigner, openKeyManager, type Shared, SKEW, share } from '../support/key-manager.ts';

const COUNT = Number(process.env['KEY_EVENTS'] ?? rounds(50_000, 10_000));
/** More than a week and two days of them, so that there is something that is not read. */
const SOME = 7500;
const GOAL_MS = 2000;
const MINUTES = 60_000;
const order = { by: 'spiffe://example.com/admin', note: '' };

/** A ledger of its own for a group of tests. */
function ledgerOf(count: number) {
  const made = {
    folder: '',
    file: '',
    shared: undefined as unknown as Shared,
    written: undefined as unknown as Written,
  };
  beforeAll(async () => {
    made.folder = await mkdtemp(join(tmpdir(), 'ect-key-events-'));
    made.file = join(made.folder, 'ledger.db');
    made.shared = share(SqliteLedgerStore.open(made.file));
    const [first, second] = await Promise.all([0, 1].map((number) => made.shared.cupboard.make(`test:${number}`)));
    const roots = [first!.signer, second!.signer] as const;
    made.written = await writeKeyEvents(made.shared, { count, issuer: ISSUER, roots });
  }, 20 * MINUTES);
  afterAll(async () => {
    await made.shared.store.close();
    await rm(made.folder, { recursive: true, force: true });
  });
  return made;
}

/** A process of its own: another connection to the file. */
async function openAgain({ file, shared }: { readonly file: string; readonly shared: Shared }, watch = asItIs) {
  const connection = SqliteLedgerStore.open(file);
  const store = watch(connection);
  onTestFinished(() => connection.close());
  const startedMs = performance.now();
  const opened = await openKeyManager({ ...shared, store });
  return { ...opened, tookMs: performance.now() - startedMs };
}

const asItIs = (store: LedgerStore) => store;

/** Everything, folded entry by entry: what the start must come to without reading it. */
async function foldEverything(store: LedgerStore): Promise<KeyHistory> {
  const history = new KeyHistory();
  for (let startIndex = 0; ; ) {
    const page = await store.list({ scope: KEY_SCOPE, startIndex, limit: 1000, withContent: true });
    for (const record of page) expect(history.add(readKeyEntry(record))).toBeUndefined();
    const last = page.at(-1);
    if (last === undefined) return history;
    startIndex = last.index + 1;
  }
}

const isHeld = (key: KeyRecord, nowMs: number) =>
  key.generation !== undefined || forgottenAt(key, { maxLifetimeSeconds: LIFETIME, skewSeconds: SKEW }) > nowMs;

describe('K11 a ledger with the key events of years', () => {
  const made = ledgerOf(COUNT);

  test('starts within two seconds, with the keys that can still matter and no others', async () => {
    const { keyManager, tookMs, failures } = await openAgain(made);
    console.log(
      `${made.written.events} key events: started in ${tookMs.toFixed(0)} ms with ${keyManager.all.length} keys`,
    );
    expect(failures).toEqual([]);
    expect(keyManager.all.length).toBeGreaterThan(10);
    expect(keyManager.all.length).toBeLessThan(100);
    expect(tookMs).toBeLessThan(GOAL_MS);
  });

  test('finds an old key for evidence as of its time, and nothing for a kid that is none', async () => {
    const { keyManager } = await openAgain(made);
    const at = 1000;
    expect(keyManager.all.some(({ kid }) => kid === made.written.kids[at])).toBe(false);
    const announced = Math.floor(made.written.announcedAtMs[at]! / 1000);
    expect(await keyManager.findPastKey(made.written.kids[at]!)).toMatchObject({
      kid: made.written.kids[at],
      notBefore: announced - SKEW,
      signsUntil: announced + 9 * 432 + SKEW,
    });
    for (const kid of ['x'.repeat(43), 'root/0', '', '__proto__'])
      expect(await keyManager.findPastKey(kid)).toBeUndefined();
  });

  test('reads a handful of rows for a change and for a list, however long the past is', async () => {
    const counts = { rows: 0 };
    const watch = (store: LedgerStore) =>
      new Proxy(store, {
        get(target, name) {
          const member = Reflect.get(target, name) as unknown;
          if (typeof member !== 'function') return member;
          return async (...values: unknown[]) => {
            const answer = (await Reflect.apply(member, target, values)) as unknown;
            counts.rows += Array.isArray(answer) ? answer.length : 1;
            return answer;
          };
        },
      });
    const { keyManager } = await openAgain(made, watch);
    counts.rows = 0;
    await keyManager.list({ startIndex: 0, limit: 500, past: false });
    expect(counts.rows).toBe(0);
    await keyManager.refresh();
    expect(counts.rows).toBeLessThan(20);
    counts.rows = 0;
    await keyManager.rotate({ ...order, nextKey: '', urgent: true });
    expect(counts.rows).toBeLessThan(600);
    counts.rows = 0;
    const { keys, next } = await keyManager.list({ startIndex: 0, limit: 20, past: true });
    expect([keys.length, next]).toEqual([20, expect.any(Number)]);
    expect(counts.rows).toBeLessThan(3000);
  });
});

describe('K11 a ledger in whose middle a process begins to read', () => {
  const made = ledgerOf(SOME);

  test('starts with what a fold over everything comes to', async () => {
    const all = (await foldEverything(made.shared.store)).all();
    const { keyManager } = await openAgain(made);
    expect(keyManager.all).toEqual(all.filter((key) => isHeld(key, made.shared.clock.nowMs())));
    // Any other key is what it was when it is asked for.
    for (const at of [0, 1, 2, 200, Math.floor(made.written.kids.length / 2), made.written.kids.length - 400]) {
      const key = all.find(({ kid }) => kid === made.written.kids[at])!;
      const page = await keyManager.list({ startIndex: key.announcedIndex, limit: 1, past: true });
      expect(page.keys).toEqual([key]);
    }
  });

  test('a root key that is revoked takes its old keys along, and an old key can be revoked by itself', async () => {
    const { keyManager, ring } = await openAgain(made);
    const [old, other] = [made.written.kids[10]!, made.written.kids[11]!];
    const { key, changed } = await keyManager.revoke({ ...order, kid: old });
    expect([key.kid, key.state, changed]).toEqual([old, 'revoked', true]);
    expect(await ring.findPastKey(old)).toBe(false);
    expect((await keyManager.findPastKey(old))?.revokedAt).toBe(made.shared.clock.now());
    expect((await keyManager.findPastKey(other))?.revokedAt).toBeUndefined();
    await keyManager.revoke({ ...order, kid: keyManager.all[0]!.kid }, made.written.announcedAtMs[5]);
    const since = Math.floor(made.written.announcedAtMs[5]! / 1000);
    expect((await keyManager.findPastKey(other))?.revokedAt).toBe(since);
    // It was revoked before, by itself.
    expect((await keyManager.findPastKey(old))?.revokedAt).toBe(made.shared.clock.now());
    const again = await openAgain(made);
    expect((await again.keyManager.findPastKey(other))?.revokedAt).toBe(since);
    expect((await again.keyManager.findPastKey(old))?.revokedAt).toBe(made.shared.clock.now());
    expect(again.keyManager.all).toEqual(keyManager.all);
  });
});

describe('K11 an attacker that can write the file', () => {
  const made = ledgerOf(2 * SOME);

  /** Changes a row as nobody may, for one test. */
  async function tamper(sql: string): Promise<void> {
    const database = new DatabaseSync(made.file, { timeout: 2000 });
    const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
    database.exec(sql);
    for (const trigger of triggers) database.exec(String(trigger['sql']));
    database.close();
  }
  const size = async () => (await made.shared.store.head())!.size;

  test(
    'does not have entries passed over by the times beside them: they are read, and it is said',
    async () => {
      const { keyManager } = await openAgain(made);
      const first = keyManager.all.find(({ generation }) => generation === undefined)!.announcedIndex;
      const end = await size();
      // Entries of this week look as if they were of 1970; those at the end keep the order.
      await tamper(
        `UPDATE entries SET recorded_at = recorded_at - 1000000000000 WHERE idx < ${end - 3} AND idx > ${first - 9000}`,
      );
      const again = await openAgain(made);
      await tamper(
        `UPDATE entries SET recorded_at = recorded_at + 1000000000000 WHERE idx < ${end - 3} AND idx > ${first - 9000}`,
      );
      expect(again.keyManager.all).toEqual(keyManager.all);
      expect(again.failures.map(String)).toEqual([expect.stringContaining('Every entry about keys was read')]);
    },
    5 * MINUTES,
  );

  test('cannot slip in a root key, nor an old key that is asked for', async () => {
    const stranger = (await makeLocalSigner()).jwk;
    const forge = (record: LedgerRecord, changes: object) =>
      JSON.stringify({
        ...JSON.parse(Buffer.from(record.leaf).toString()),
        jwk: stranger,
        kid: stranger.kid,
        ...changes,
      });
    const victim = (await made.shared.store.find(KEY_SCOPE, `${made.written.kids[20]}/announced`))!;
    const undo = `UPDATE entries SET leaf = x'${Buffer.from(victim.leaf).toString('hex')}', name = '${victim.name}' WHERE idx = ${victim.index}`;
    const leaf = Buffer.from(forge(victim, {})).toString('hex');
    await tamper(
      `UPDATE entries SET leaf = x'${leaf}', name = '${stranger.kid}/announced' WHERE idx = ${victim.index}`,
    );
    const { keyManager, ledger } = await openAgain(made);
    await expect(keyManager.findPastKey(stranger.kid)).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
    const roots = keyManager.all.filter(({ generation }) => generation !== undefined).length;
    const root = Buffer.from(forge(victim, { generation: roots, certificate: undefined })).toString('hex');
    await tamper(`UPDATE entries SET leaf = x'${root}', name = 'root/${roots}' WHERE idx = ${victim.index}`);
    await expect(openAgain(made)).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
    await tamper(undo);
    await expect(ledger.receiptFor(victim)).resolves.toBeDefined();
    await expect(Ledger.open({ ...made.shared, nowMs: made.shared.clock.nowMs })).resolves.toBeDefined();
  });
});

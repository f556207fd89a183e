// Audits of a real ledger: of the running service, of its file, and of copies that somebody has tampered with.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { startService } from '../support/service-process.ts';
import {
  auditJson,
  directory,
  ENTRIES,
  earlier,
  KEY_ENTRIES,
  key,
  ledger,
  MARK,
  service,
  tamper,
  tamperedCopy,
  url,
} from './audited.ts';
import { ect } from './run.ts';

test('the file of a running service is audited while it is open', async () => {
  const { code, out, err } = await ect(['audit', ledger, '--ledger-key', key]);
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^✓ every leaf, every commitment and the root hold\\n {2}entries +${ENTRIES}\\n`));
  expect(err).toBe('');
});

test('a service and its file are found to be the same ledger', async () => {
  const [file, online] = [
    await auditJson(ledger, '--ledger-key', key),
    await auditJson('--url', url, '--ledger-key', key),
  ];
  expect(online).toEqual({
    code: 0,
    report: expect.objectContaining({
      ok: true,
      treeSize: String(ENTRIES),
      rootHash: file.report.rootHash,
      faults: [],
    }),
  });
});

test('without a key from elsewhere the audit says that it proves less', async () => {
  for (const argv of [[ledger], ['--url', url]]) {
    const { code, err } = await ect(['audit', ...argv]);
    expect(code).toBe(0);
    expect(err).toContain('not whose it is');
    expect((await auditJson(...argv)).report.keySource).toBe('ledger');
  }
});

test('under the key of another ledger nothing holds', async () => {
  const other = openLedgerKey(generateLedgerKey('ledger.example/other')).verifierKey;
  for (const argv of [[ledger], ['--url', url]]) {
    const { code, report } = await auditJson(...argv, '--ledger-key', other);
    expect(code).toBe(1);
    expect(report.faults.map(({ fault }) => fault)).toContain('the checkpoint is not signed by this ledger key');
  }
});

test('L8: the ledger still contains a checkpoint that was kept, and not one of another history', async () => {
  const kept = join(directory, 'kept.checkpoint');
  await writeFile(kept, earlier);
  expect((await auditJson(ledger, '--ledger-key', key, '--earlier', kept)).code).toBe(0);
  // The newest checkpoint, as somebody remembers it who now meets a ledger that was rolled back to before it.
  const newest = join(directory, 'newest.checkpoint');
  await writeFile(newest, (await ect(['checkpoint', '--url', url])).out);
  const rolledBack = tamperedCopy(
    'rolled-back',
    `DELETE FROM entries;
     UPDATE head SET size = 0, frontier = x'', recorded_at = 0`,
  );
  const { code, report } = await auditJson(rolledBack, '--ledger-key', key, '--earlier', newest);
  expect(code).toBe(1);
  expect(report.faults.map(({ fault }) => fault)).toContain(
    `the earlier checkpoint signs ${ENTRIES} entries, but only 0 are there`,
  );
});

test.each([
  ['a bit of a leaf', 'leaf = CAST(replace(CAST(leaf AS TEXT), \'"v":1\', \'"v":0\') AS BLOB)', 'its leaf is not'],
  [
    'the time in a leaf',
    "leaf = CAST(replace(CAST(leaf AS TEXT), 'recorded_at\":1', 'recorded_at\":2') AS BLOB)",
    'another time',
  ],
  [
    'the issuer that it is listed under',
    "author = 'urn:other'",
    'it is listed under another issuer than its leaf names',
  ],
  [
    'the time that it is listed at',
    'recorded_at = recorded_at - 1',
    'it is listed at another time than its leaf names',
  ],
  ['the token', "content = CAST(CAST(content AS TEXT) || 'A' AS BLOB)", 'its content is not what the leaf commits to'],
  ['the salt', 'salt = zeroblob(32)', 'its content is not what the leaf commits to'],
  [
    'the provenance',
    `provenance = CAST(replace(CAST(substr(provenance, 33) AS TEXT), 'Issue', 'Verify') AS BLOB)`,
    'its provenance is not what the salt commits to',
  ],
  ['the digest', 'digest = zeroblob(32)', 'its digest is not that of its token'],
  ['the task that it is found by', "name = '00000000-0000-4000-8000-000000000000'", 'about another task'],
])('L7: an entry with another value for %s is named', async (what, change, fault) => {
  const copy = tamperedCopy(what.replaceAll(' ', '-'), `UPDATE entries SET ${change} WHERE idx = 4`);
  const { code, report } = await auditJson(copy, '--ledger-key', key);
  expect(code).toBe(1);
  expect(report.ok).toBe(false);
  const named = report.faults.filter(({ index }) => index === 4).map((found) => found.fault);
  expect(named.join('; ')).toContain(fault);
  // Only the entry that was touched is accused; what is said of the ledger as a whole has no index.
  expect(report.faults.every(({ index }) => index === 4 || index === null)).toBe(true);
});

test.each([
  [
    'the statement',
    "content = CAST(replace(CAST(content AS TEXT), 'lost', 'sold') AS BLOB)",
    'its content is not what',
  ],
  ['the digest', 'digest = zeroblob(32)', 'its digest is not that of its statement'],
  ['the key that it is found by', `name = '["kid","other"]'`, 'its leaf is not one that this service writes'],
  ['the kind of entry', "scope = ''", 'its leaf is not one that this service writes'],
])('L7: a mark with another value for %s is named', async (what, change, fault) => {
  const copy = tamperedCopy(`mark-${what.replaceAll(' ', '-')}`, `UPDATE entries SET ${change} WHERE idx = ${MARK}`);
  const { code, report } = await auditJson(copy, '--ledger-key', key);
  expect(code).toBe(1);
  expect(report.faults.map((found) => [found.index, found.fault])).toContainEqual([
    MARK,
    expect.stringContaining(fault),
  ]);
});

test('L7: a single flipped bit anywhere in a leaf breaks the root', async () => {
  const original = new DatabaseSync(ledger, { readOnly: true });
  const leaf = original.prepare('SELECT leaf FROM entries WHERE idx = 4').get()?.['leaf'] as Uint8Array;
  original.close();
  for (const position of [0, Math.floor(leaf.length / 2), leaf.length - 1]) {
    const flipped = Uint8Array.from(leaf, (byte, at) => (at === position ? byte ^ 1 : byte));
    const hex = Buffer.from(flipped).toString('hex');
    const copy = tamperedCopy(`bit-${position}`, `UPDATE entries SET leaf = x'${hex}' WHERE idx = 4`);
    const { code, out } = await ect(['audit', copy, '--ledger-key', key]);
    expect(code).toBe(1);
    expect(out).toContain('✗ index 4: its leaf is not the one that the tree was built from');
    expect(out).toContain(`the first ${ENTRIES} leaves do not lead to the root that the current checkpoint signs`);
  }
});

test('L7: a stored node of the tree that does not follow from the leaves is named', async () => {
  // Entry 1 completes the node above the entries 0 and 1: its second hash.
  const copy = tamperedCopy(
    'node',
    'UPDATE entries SET nodes = CAST(substr(nodes, 1, 32) || zeroblob(32) AS BLOB) WHERE idx = 1',
  );
  const { code, report } = await auditJson(copy, '--ledger-key', key);
  expect(code).toBe(1);
  expect(report.faults.map(({ fault }) => fault)).toContain('node 0 of level 1 does not follow from what is below it');
});

const SWAP =
  'UPDATE entries SET idx = -1 WHERE idx = 4; UPDATE entries SET idx = 4 WHERE idx = 5; UPDATE entries SET idx = 5 WHERE idx = -1';

test('L8: two entries that were swapped are both named', async () => {
  const copy = tamperedCopy(
    'swapped',
    `CREATE TEMP TABLE kept AS SELECT idx, nodes FROM entries; ${SWAP};
     UPDATE entries SET nodes = (SELECT kept.nodes FROM kept WHERE kept.idx = entries.idx)`,
  );
  const { code, report } = await auditJson(copy, '--ledger-key', key);
  expect(code).toBe(1);
  expect(new Set(report.faults.map(({ index }) => index))).toEqual(new Set([4, 5, null]));
});

test('L8: two entries that were swapped with all their hashes do not lead to the signed root', async () => {
  const { code, report } = await auditJson(tamperedCopy('swapped-whole', SWAP), '--ledger-key', key);
  expect(code).toBe(1);
  expect(report.faults.map(({ fault }) => fault)).toContain(
    `the first ${ENTRIES} leaves do not lead to the root that the current checkpoint signs`,
  );
});

test('L8: an entry that is missing in the middle is rejected', async () => {
  const { code, err } = await ect([
    'audit',
    tamperedCopy('gap', 'DELETE FROM entries WHERE idx = 4'),
    '--ledger-key',
    key,
  ]);
  expect(code).toBe(1);
  expect(err).toContain('✗ LEDGER_CORRUPT');
  expect(err).toContain('4');
});

test('a provenance that was removed is no fault, and its entry is named', async () => {
  const copy = tamperedCopy('unsaid', 'UPDATE entries SET provenance = NULL WHERE idx = 4');
  const { code, report } = await auditJson(copy, '--ledger-key', key);
  expect(code).toBe(0);
  expect(report).toMatchObject({ ok: true, provenance: { gapCount: 1, gaps: [4] } });
});

test('an erased token is no fault, and is counted', async () => {
  const copy = tamperedCopy(
    'erased',
    'UPDATE entries SET salt = NULL, content = NULL, provenance = NULL WHERE idx = 4',
  );
  const { code, report } = await auditJson(copy, '--ledger-key', key);
  expect(code).toBe(0);
  expect(report).toMatchObject({ ok: true, withoutToken: 1 });
});

test('K8 the key set is held against the ledger, of a service and of a file', async () => {
  const jwks = join(directory, 'jwks.json');
  await writeFile(jwks, await (await fetch(`${url}/.well-known/jwks.json`)).text());
  const { code, report } = await auditJson(ledger, '--ledger-key', key, '--jwks', jwks);
  expect([code, report.keys]).toEqual([0, { announced: 1, usesBefore: 0, keySet: 'as the ledger says' }]);
  expect((await auditJson('--url', url)).report.keys.keySet).toBe('as the ledger says');
  expect((await auditJson(ledger)).report.keys.keySet).toBe('not compared');

  const other = { kty: 'EC', crv: 'P-256', kid: 'x'.repeat(43), x: 'AA', y: 'AA' };
  await writeFile(jwks, JSON.stringify({ keys: [other] }));
  const differing = await auditJson(ledger, '--ledger-key', key, '--jwks', jwks);
  expect(differing.code).toBe(1);
  expect(differing.report.faults).toEqual([
    { index: null, fault: `the key set has the key ${other.kid}, which the ledger never announced` },
  ]);
  await writeFile(jwks, 'no key set');
  expect((await auditJson(ledger, '--jwks', jwks)).report.faults).toEqual([
    { index: null, fault: 'the key set is not a JWK Set' },
  ]);
});

test('a file that is no ledger is wrong usage, and is not called damaged', async () => {
  const path = join(directory, 'text.db');
  await writeFile(
    path,
    'not a database, only some text that is long enough to be read as the header of one'.repeat(20),
  );
  const { code, err } = await ect(['audit', path]);
  expect(code).toBe(2);
  expect(err).toBe(
    `error: ${path} is not an SQLite file, so it is no ledger, unless its first bytes were overwritten\n` +
      '`ect help audit` shows what it takes.\n',
  );
  for (const [other, why] of [
    [join(service.dataDir, 'once.db'), 'is once.db of a service, not a ledger'],
    [service.dataDir, `is a directory: name the ledger in it, ${ledger}`],
    [directory, 'is a directory, not a file'],
    [join(directory, 'gone.db'), `there is no file ${join(directory, 'gone.db')}`],
  ] as const) {
    const wrong = await ect(['audit', other]);
    expect([other, wrong.code]).toEqual([other, 2]);
    expect(wrong.err).toContain(why);
  }
});

test('an audit of a ledger that grows meanwhile holds it against the checkpoint that it started from', async () => {
  await using busy = await startService();
  const issue = () => ect(['issue', '--exec-act', 'a', '--aud', 'urn:ect:dev', '--level', 'L3', '--url', busy.url]);
  for (let round = 0; round < 5; round += 1) {
    for (const argv of [[join(busy.dataDir, 'ledger.db')], ['--url', busy.url]]) {
      // The audit runs among the appends.
      const [first, { code, report }, ...others] = await Promise.all([issue(), auditJson(...argv), issue(), issue()]);
      expect([first, ...others].map((issued) => issued.code)).toEqual([0, 0, 0]);
      expect(report).toMatchObject({ ok: true, faults: [] });
      expect(code).toBe(0);
    }
  }
  expect((await auditJson('--url', busy.url)).report).toMatchObject({ ok: true, treeSize: String(KEY_ENTRIES + 30) });
});

test('L7: an audit over the network names the entries that the service itself finds damaged, and goes on', async () => {
  await using damaged = await startService();
  const there = ['--url', damaged.url];
  for (let entry = 0; entry < 4; entry += 1) {
    await ect(['issue', '--exec-act', 'a', '--aud', 'urn:ect:dev', '--level', 'L3', ...there]);
  }
  expect((await ect(['audit', ...there])).code).toBe(0);
  tamper(
    join(damaged.dataDir, 'ledger.db'),
    `UPDATE entries SET content = CAST('other' AS BLOB) WHERE idx = 3;
     UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), '"L3"', '"L2"') AS BLOB) WHERE idx = 4`,
  );
  const { code, report } = await auditJson(...there);
  expect(code).toBe(1);
  expect(report.treeSize).toBe(String(KEY_ENTRIES + 4));
  expect(new Set(report.faults.map(({ index }) => index))).toEqual(new Set([3, 4, null]));
});

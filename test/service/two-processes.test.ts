// Two processes on one data directory, as an upgrade without a pause has them for a while.

import { status as codes } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { Issued, Recorded, Verdict } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import { Witness } from './witness.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const TOKENS = 200;
/** The key is announced, and made active. */
const KEY_ENTRIES = 2;

test('L10 R2 two processes keep one ledger without a fork, and accept each token once between them', async () => {
  await using first = await startService();
  await using second = await startService({ ECT_DATA_DIR: first.dataDir });
  using one = dial(first.address);
  using two = dial(second.address);
  const clients = [one, two];
  const keys = await Promise.all(clients.map((client) => client.call('ect.v1.KeyService/GetKeySet', {})));
  expect(keys[1]).toEqual(keys[0]);

  const items = Array.from({ length: TOKENS }, () => ({ request: { exec_act: 'review', aud: [AUDIENCE] } }));
  const issued = await one.call<{ results: readonly { response: Issued }[] }>(`${AUTHORITY}/BatchIssue`, { items });
  const tokens = issued.results.map(({ response }) => response.token);

  const verdicts = await Promise.all(
    tokens.map((token) =>
      Promise.all(clients.map((client) => client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE }))),
    ),
  );
  for (const pair of verdicts) expect(pair.map(({ reason }) => reason).sort()).toEqual(['', 'TOKEN_REPLAYED']);

  const witness = new Witness((keys[0] as { ledger_verifier_key: string }).ledger_verifier_key);
  const duplicates = await Promise.all(
    tokens.map((token) =>
      Promise.all(
        clients.map(async (client) => {
          const recorded = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
          witness.keep(recorded);
          return recorded.duplicate;
        }),
      ),
    ),
  );
  for (const pair of duplicates) expect(pair.filter((duplicate) => !duplicate)).toHaveLength(1);
  expect(witness.acknowledged.size).toBe(TOKENS);
  for (const client of clients) expect(await witness.faults(client)).toEqual([]);

  expect(await first.stop()).toBe(0);
  const later = await two.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE], level: 'LEVEL_L3' });
  expect(later).toMatchObject({ receipt: { leaf_index: String(KEY_ENTRIES + TOKENS) } });
  await expect(one.call('ect.v1.KeyService/GetKeySet', {})).rejects.toMatchObject({ code: codes.UNAVAILABLE });
});

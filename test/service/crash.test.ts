// The process killed under load, again and again: nothing that it acknowledged is lost, and nothing is there twice.

import { join } from 'node:path';
import { status as codes } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { Issued, Recorded, Verdict } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { Witness } from './witness.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const TOKENS = 1000;
/** The key is announced, and made active. */
const KEY_ENTRIES = 2;
/**
 * A kill comes as soon as so many entries are newly acknowledged: at the first one, and further and further into the load.
 * Each time a hundred more may be on their way, for which the sum leaves room.
 */
const KILL_AFTER = [1, 30, 60, 90, 120];
/** Tokens that each round of load verifies for the first time. */
const VERIFIED_PER_ROUND = 20;

async function issueTokens(client: GrpcClient): Promise<readonly string[]> {
  const items = Array.from({ length: TOKENS }, (_, at) => ({
    reference: String(at),
    request: { exec_act: 'review_spec', aud: [AUDIENCE] },
  }));
  const answer = await client.call<{ results: readonly { response: Issued }[] }>(`${AUTHORITY}/BatchIssue`, { items });
  return answer.results.map(({ response }) => response.token);
}

function verify(client: GrpcClient, token: string): Promise<Verdict> {
  return client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
}

/** Appends all tokens at once. `onNew` is called for each entry that was acknowledged for the first time. Answers the failures. */
async function appendAll(
  client: GrpcClient,
  witness: Witness,
  tokens: readonly string[],
  onNew: () => void = () => {},
) {
  const failures: CallError[] = [];
  await Promise.all(
    tokens.map(async (token) => {
      try {
        const recorded = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
        const isNew = !witness.acknowledged.has(recorded.entry.task.name.jti);
        witness.keep(recorded);
        if (isNew) onNew();
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        failures.push(error);
      }
    }),
  );
  return failures;
}

/** One round: load, a kill in the middle of it, and a start. Tokens that were verified are put into `used`. */
async function killUnderLoad(
  service: ServiceProcess,
  witness: Witness,
  tokens: readonly string[],
  fresh: readonly string[],
  used: Set<string>,
  killAfter: number,
): Promise<void> {
  using client = dial(service.address);
  let news = 0;
  let killed: Promise<void> | undefined;
  // First, so that they are not behind all the appends.
  const verifying = fresh.map(async (token) => {
    const verdict = await verify(client, token).catch(() => undefined);
    if (verdict?.valid) used.add(token);
  });
  const appending = appendAll(client, witness, tokens, () => {
    news += 1;
    if (news === killAfter) killed = service.kill();
  });
  const failures = await appending;
  await Promise.all(verifying);
  await killed;
  expect(news).toBeGreaterThanOrEqual(killAfter);
  // The kill came in the middle: some callers do not know what became of their token.
  expect(failures.length).toBeGreaterThan(0);
  expect(new Set(failures.map(({ code }) => codes[code]))).toEqual(new Set(['UNAVAILABLE']));
}

async function audit(service: ServiceProcess, witness: Witness) {
  const args = ['audit', join(service.dataDir, 'ledger.db'), '--ledger-key', witness.verifierKey, '--json'];
  const { code, stdout, stderr } = await runMain(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as { ok: boolean; treeSize: string };
}

test('L1 L11 R8 1,000 appends at once, killed in the middle: no acknowledged entry is lost, moved or doubled', async () => {
  await using service = await startService();
  const { witness, tokens } = await (async () => {
    using client = dial(service.address);
    const keys = await client.call<{ ledger_verifier_key: string }>('ect.v1.KeyService/GetKeySet', {});
    return { witness: new Witness(keys.ledger_verifier_key), tokens: await issueTokens(client) };
  })();
  const used = new Set<string>();

  for (const [round, killAfter] of KILL_AFTER.entries()) {
    const fresh = tokens.slice(round * VERIFIED_PER_ROUND, (round + 1) * VERIFIED_PER_ROUND);
    await killUnderLoad(service, witness, tokens, fresh, used, killAfter);

    // The file as the crash left it, before anything has fixed it.
    const afterCrash = await audit(service, witness);
    expect(afterCrash.ok).toBe(true);
    expect(Number(afterCrash.treeSize)).toBeGreaterThanOrEqual(witness.acknowledged.size);

    await service.restart();
    using client = dial(service.address);
    expect(await witness.faults(client)).toEqual([]);
    for (const token of used) {
      expect(await verify(client, token)).toMatchObject({
        valid: false,
        finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
      });
    }
  }
  expect(used.size).toBeGreaterThan(0);
  // Or the kills came too late to leave anything undone.
  expect(witness.acknowledged.size).toBeLessThan(TOKENS);

  // What is unknown is settled by asking again: every token is new or where it was.
  using client = dial(service.address);
  expect(await appendAll(client, witness, tokens)).toEqual([]);
  expect(witness.acknowledged.size).toBe(TOKENS);
  expect(await witness.faults(client)).toEqual([]);
  // The ledger is audited while it is served.
  expect(await audit(service, witness)).toMatchObject({ ok: true, treeSize: String(KEY_ENTRIES + TOKENS) });
  expect(await service.stop()).toBe(0);
});

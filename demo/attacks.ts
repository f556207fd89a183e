// Three attacks on the finished workflow. Each must be rejected, and for the right reason.

import { randomUUID } from 'node:crypto';
import type { Authority } from './authority.ts';
import { Rejection } from './grpc.ts';
import { expect, tell, tellGood } from './tell.ts';
import { type Done, DRAFTER, REVIEWER } from './workflow.ts';

export async function playAttacks(authority: Authority, wid: string, last: Done): Promise<void> {
  tell('A single bit of the approval is flipped:');
  const forged = flipBit(last.token, last.exec_act);
  tell(`    ${forged.changed}`);
  await rejectVerdict(authority, { ...last, token: forged.token }, 'SIGNATURE_INVALID');

  tell('The approval, untouched, is presented to the same agent a second time:');
  await rejectVerdict(authority, last, 'TOKEN_REPLAYED');

  tell('A task claims to follow one that nobody has ever recorded:');
  await rejectOrphan(authority, wid);
}

async function rejectVerdict(authority: Authority, { token, output }: Done, reason: string): Promise<void> {
  const verdict = await authority.verify({
    token,
    audience: DRAFTER,
    predecessor_tokens: [],
    dag_mode: 'DAG_MODE_COMPLETE',
    verify_mode: 'VERIFY_MODE_REPORT',
    output,
  });
  expect('the verdict', verdict.finding?.reason ?? 'valid', `ERROR_REASON_${reason}`);
  tellGood(`rejected, ${reason}: ${verdict.finding?.message}`);
}

/** At L2 the token can be had (its predecessor might live in another ledger), but this ledger never takes it. */
async function rejectOrphan(authority: Authority, wid: string): Promise<void> {
  const { token } = await authority.issue({
    iss: REVIEWER,
    aud: [DRAFTER],
    exec_act: 'publish_document',
    wid,
    pred: [randomUUID()],
    input: Buffer.from('Approved.'),
    output: Buffer.from('Published.'),
  });
  const outcome = await authority.append(token).then(
    () => 'recorded',
    (error: unknown) => error,
  );
  if (!(outcome instanceof Rejection)) throw outcome instanceof Error ? outcome : new Error('the orphan was recorded');
  expect('the ledger', outcome.reason, 'DAG_PREDECESSOR_MISSING');
  tellGood(`rejected, ${outcome.reason}: ${outcome.message}`);
}

/** Flips one bit of the first letter of `word` inside the payload: everything else stays as it was signed. */
function flipBit(token: string, word: string): { readonly token: string; readonly changed: string } {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const bytes = Buffer.from(payload, 'base64url');
  const at = bytes.indexOf(word);
  expect('the payload names the task', at > 0, true);
  bytes[at]! ^= 2;
  const changed = `${word} → ${bytes.subarray(at, at + word.length).toString('latin1')}`;
  return { token: [header, bytes.toString('base64url'), signature].join('.'), changed };
}

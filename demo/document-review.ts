// `npm run demo`: a document review by two agents, its graph, a receipt that is checked without the service, and three
// attacks. Exit code 0 if everything came out as promised, 1 if anything did not. With `-- --signer kms` the key that signs
// is in a double of AWS KMS.

import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startTrialKms } from '../kms-double/trial.ts';
import { verifyReceipt } from '../src/ledger/index.ts';
import { playAttacks } from './attacks.ts';
import { type Authority, authorityAt } from './authority.ts';
import { dial } from './grpc.ts';
import { startService } from './service.ts';
import { chapter, expect, tell, tellBad, tellGood } from './tell.ts';
import { type Done, playReview } from './workflow.ts';

const STORY_MS = 60_000;

/** The same story, with nothing in the service that could sign. */
async function playOverKms(): Promise<void> {
  chapter('A double of AWS KMS');
  const { double, keyId, settings } = await startTrialKms();
  await using _double = double;
  tell(`key ${keyId} at ${double.url}: the service never sees its private half`);
  await playStory(settings);
  // Five tasks, and the proof at the start of the service.
  expect('signatures that KMS made', double.count('Sign') >= 6, true);
  tellGood(`KMS was asked for ${double.count('Sign')} signatures; each was verified before its token left`);
}

async function playStory(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  chapter('A service of our own');
  await using service = await startService(settings);
  tell(`gRPC on ${service.address}, process ${service.pid}, data in a temporary directory`);
  const channel = dial(service.address);
  try {
    await withinTime(playWith(authorityAt(channel)));
  } finally {
    channel.close();
  }
}

async function playWith(authority: Authority): Promise<void> {
  const verifierKey = await authority.ledgerVerifierKey();
  const wid = randomUUID();

  chapter(`The review, workflow ${wid}`);
  const tasks = await playReview(authority, wid);
  const last = tasks.at(-1);
  if (last === undefined) throw new TypeError('the workflow has tasks');

  chapter('The graph, as Mermaid');
  const graph = await authority.drawWorkflow(wid);
  expect('the workflow', graph.dag_report.status, 'DAG_STATUS_COMPLETE');
  expect('its size', graph.size, tasks.length);
  expect('its longest path', graph.depth, 4);
  for (const line of graph.drawing.trimEnd().split('\n')) tell(line);

  chapter('A receipt, checked without the service');
  checkOffline(last, verifierKey);

  chapter('Three attacks');
  await playAttacks(authority, wid, last);
}

/** No call is made here: the receipt, the token and the verifier key that was fetched at the start are enough. */
function checkOffline({ exec_act, token, receipt }: Done, verifierKey: string): void {
  const { leaf_index: index, tree_size: size, ...proof } = receipt.inclusion;
  const claim = { leaf: receipt.leaf, tlogProof: { leafIndex: Number(index), ...proof }, verifierKey };
  const verdict = verifyReceipt({ ...claim, content: Buffer.from(token) });
  expect('the receipt', verdict.ok || verdict.fault, true);
  tell(`verifier key ${verifierKey}`);
  tellGood(`${exec_act} is entry ${Number(index) + 1} of ${size}`);
  const other = verifyReceipt({ ...claim, content: Buffer.from(`${token}x`) });
  expect('the receipt for another token', other.ok, false);
  tellGood('and the same receipt proves nothing about any other token');
}

/** Ends a story that hangs. */
async function withinTime(story: Promise<void>): Promise<void> {
  const stop = new AbortController();
  const late = wait(STORY_MS, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`the story did not end within ${STORY_MS} ms`);
  });
  try {
    await Promise.race([story, late]);
  } finally {
    stop.abort();
    await late.catch(() => undefined);
  }
}

const HELP = `Usage: npm run demo -- [--signer local|kms]

Starts a service of its own on a free port, with its data in a temporary directory, and plays a document review by two agents: five tasks,
their graph, a receipt that is checked without the service, and three attacks that the service rejects. Nothing is left behind.

  --signer <kind>  local: a key in a file (default). kms: a key in a double of AWS KMS; nothing is sent to AWS
  -h, --help       print this and exit

Exit code 0: everything came out as promised. 1: something did not.
`;

try {
  const options = { signer: { type: 'string', default: 'local' }, help: { type: 'boolean', short: 'h' } } as const;
  const { values } = parseArgs({ options });
  if (values.help === true) {
    process.stdout.write(HELP);
    process.exit();
  }
  if (values.signer !== 'local' && values.signer !== 'kms') throw new TypeError('--signer is local or kms');
  await (values.signer === 'kms' ? playOverKms() : playStory());
  chapter('Everything came out as promised.');
} catch (error) {
  process.exitCode = 1;
  chapter('The story went wrong');
  tellBad(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

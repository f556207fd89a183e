// Issue in two tiers over AWS KMS, beside Issue with a key in a file. KMS is a double that is slow and throttles.

import { fromBinary } from '@bufbuild/protobuf';
import { startTrialKms, type TrialKms } from '../../kms-double/trial.ts';
import { IssueResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { startAuthority } from '../authority-process.ts';
import { signerOf, underH2load } from '../contenders.ts';
import { probe } from '../probe.ts';
import type { Server } from '../servers.ts';
import { cpuRatio, interleave } from '../signature-batches.ts';
import { WORKS } from '../works.ts';
import type { Measure } from './plan.ts';

const LOCAL = 'ours, local key';
const TWO_TIER = 'ours, two-tier KMS';
const DELAY_MS = 30;
const REQUESTS_PER_SECOND = 100;
const LIMIT = 0.9;

export const measureKms: Measure = async (bench, plan) => {
  const kms = await startTrialKms({ delayMs: DELAY_MS, requestsPerSecond: REQUESTS_PER_SECOND });
  await using double = kms.double;
  await using local = await startAuthority(bench, { name: LOCAL });
  await using twoTier = await startAuthority(bench, { name: TWO_TIER, settings: settingsFor(kms) });
  const [body] = WORKS.issue.bodies(await signerOf(bench), 1);
  await demandDelegated(twoTier, body!);
  const contenders = await Promise.all([local, twoTier].map((server) => underH2load(bench, server, 'issue')));
  const before = double.count('Sign');
  const sides = await interleave(contenders, plan.rounds);
  await demandDelegated(twoTier, body!);
  const signed = double.count('Sign') - before;
  return {
    name: 'kms',
    title: 'Issue, key in KMS',
    unit: 'calls',
    sides,
    goals: [
      {
        text: 'two-tier KMS ÷ local key',
        against: LOCAL,
        value: cpuRatio(sides, TWO_TIER, LOCAL),
        limit: LIMIT,
        kind: 'at least',
        unit: '×',
      },
    ],
    notes: [
      `The double of KMS answers after ${DELAY_MS} ms and throttles past ${REQUESTS_PER_SECOND} requests a second. It got ${before} requests to sign before the rounds, and ${signed} in them.`,
    ],
  };
};

/** The key file that every server is given contradicts KMS, so it is taken back. */
function settingsFor({ settings }: TrialKms): Readonly<Record<string, string>> {
  return { ...settings, ECT_LOCAL_KEY_FILE: '', ECT_SIGNING: 'two-tier' };
}

/** Error unless the key that signs now is one that KMS has certified: with the root key the figure would be one of KMS. */
async function demandDelegated({ name, url }: Server, body: Buffer): Promise<void> {
  const { kid } = fromBinary(IssueResponseSchema, await probe(url, WORKS.issue.path, body));
  const answer = await fetch(`${url}/.well-known/jwks.json`);
  const { keys } = (await answer.json()) as { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  const key = keys.find((candidate) => candidate['kid'] === kid);
  if (key?.['ect_certificate'] === undefined) throw new Error(`${name} signs with a key without a certificate`);
}

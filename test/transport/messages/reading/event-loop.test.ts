// No request holds the event loop for long while it is read: every method, the most expensive bytes that it takes, legal or not.

import type { DescMessage } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { EctError } from '../../../../src/errors.ts';
import { AdminService } from '../../../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../../../src/gen/ect/v1/ledger_pb.ts';
import { readMessage } from '../../../../src/transport/messages/reading/read-message.ts';
import { FULL } from '../../../support/full.ts';
import { type WorstCase, worstCasesOf } from './worst-cases.ts';

const LIMIT_MS = 50;
/** What is slow only once was not slow by itself. */
const TRIES = 4;

/** `npm test` takes those of the largest and of the deepest requests; the full run all. */
const FEW = new Set(['BatchIssue', 'ListEntries']);
const ALL = [AuthorityService, LedgerService, KeyService, AdminService].flatMap(({ methods }) =>
  methods.map(({ name, input }): readonly [string, DescMessage] => [name, input]),
);
const METHODS = FULL ? ALL : ALL.filter(([name]) => FEW.has(name));

/** Others work on the machine too, so this is the time of the processor, garbage collection included. */
function now(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The longest time for which nothing else ran while a message was read, in milliseconds. */
async function longestStretch(desc: DescMessage, { codec, bytes }: WorstCase): Promise<number> {
  let longest = 0;
  let last = now();
  const look = () => {
    const time = now();
    longest = Math.max(longest, time - last);
    last = time;
  };
  let ticking = setImmediate(function tick() {
    look();
    ticking = setImmediate(tick);
  });
  try {
    await readMessage(desc, codec, bytes);
  } catch (thrown) {
    if (!(thrown instanceof EctError) || thrown.reason === 'INTERNAL') throw thrown;
  }
  look();
  clearImmediate(ticking);
  return longest;
}

// Where every branch is counted, scanning is several times as slow; CI runs this file without that.
describe.skipIf(process.env['COUNTS_COVERAGE'] === '1')('H22: the event loop goes on', () => {
  test.each(METHODS)('while the most expensive requests of %s are read', { timeout: 120_000 }, async (name, desc) => {
    const measured: { readonly name: string; readonly ms: number }[] = [];
    for (const worst of worstCasesOf(desc)) {
      let ms = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < TRIES && ms > LIMIT_MS / 2; tries++)
        ms = Math.min(ms, await longestStretch(desc, worst));
      measured.push({ name: `${worst.codec}, ${worst.name}`, ms });
    }
    const [slowest] = measured.toSorted((a, b) => b.ms - a.ms);
    console.info(`${name}: at most ${slowest!.ms.toFixed(1)} ms (${slowest!.name}), of ${measured.length} requests`);
    expect(measured.filter(({ ms }) => ms > LIMIT_MS)).toEqual([]);
  });
});

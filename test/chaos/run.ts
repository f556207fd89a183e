// The course of a run: variants of the service in turn, and faults from a deck that is shuffled when it is empty, so that each kind
// comes as often as any other, or twice as often.

import { setTimeout as pause } from 'node:timers/promises';
import { Campaign, type CampaignOptions, ServiceLost } from './campaign.ts';
import { RUNNING_FAULTS } from './running-faults.ts';
import { STOPPED_FAULTS } from './stopped-faults.ts';
import { VARIANTS } from './variants.ts';

const FAULTS: Readonly<Record<string, (campaign: Campaign) => Promise<void>>> = {
  ...RUNNING_FAULTS,
  ...STOPPED_FAULTS,
};
const FAULTS_EACH = 5;
/** What needs no other service to be started is cheap, and comes twice as often. */
const CHEAP = ['kill-worker', 'freeze', 'jump-clock', 'fail-file', 'limit-size', 'fail-kms', 'move-directory'];

export interface RunOptions extends CampaignOptions {
  readonly seconds: number;
  /** Default: all kinds. */
  readonly faults?: readonly string[];
  /** Default: the service is of another variant after every few faults. */
  readonly changesVariants?: boolean;
}

/** Runs to its end, and answers how often each fault was inflicted. The journal and the data directory are left. */
export async function runChaos(run: RunOptions) {
  const { seconds, faults = Object.keys(FAULTS), changesVariants = true, ...options } = run;
  const unknown = faults.filter((fault) => FAULTS[fault] === undefined);
  if (unknown.length > 0) throw new TypeError(`no such faults: ${unknown.join(', ')}`);
  await using campaign = await Campaign.open(options);
  const inflicted = new Map<string, number>();
  const untilMs = performance.now() + 1000 * seconds;
  // However short a run is, something is done to the service.
  const isOver = () => inflicted.size > 0 && performance.now() >= untilMs;
  let variants: (typeof VARIANTS)[number][] = [];
  let deck: string[] = [];
  try {
    while (!isOver()) {
      if (variants.length === 0) variants = campaign.chance.shuffled(VARIANTS);
      if (changesVariants) campaign.change(variants.pop()!);
      await campaign.start();
      await campaign.recover();
      for (let number = 0; number < FAULTS_EACH && !isOver(); number++) {
        if (deck.length === 0)
          deck = campaign.chance.shuffled([...faults, ...faults.filter((it) => CHEAP.includes(it))]);
        const fault = deck.pop()!;
        if (fault === 'fail-kms' && campaign.variant.signer !== 'kms') continue;
        await pause(campaign.chance.between(300, 1500));
        campaign.journal.write({ kind: 'fault', fault });
        await FAULTS[fault]!(campaign);
        await campaign.recover();
        inflicted.set(fault, (inflicted.get(fault) ?? 0) + 1);
      }
      await campaign.end('SIGTERM');
    }
  } catch (error) {
    // The journal says it; what was acknowledged until then is checked all the same.
    if (!(error instanceof ServiceLost)) throw error;
  }
  return { inflicted, broken: campaign.journal.broken, journal: campaign.journal.path, dataDir: campaign.dataDir };
}

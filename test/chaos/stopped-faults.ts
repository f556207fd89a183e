// What is done to the files while no service runs: damage that the next start has to reject in the right words, and each way
// out of it that the documents name.

import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import { runMain } from '../support/service-process.ts';
import type { Campaign } from './campaign.ts';
import { getSome, listAll } from './operations.ts';

const LEDGER = ['ledger.db', 'ledger.db-wal', 'ledger.db-shm'];
const ONCE = ['once.db', 'once.db-wal', 'once.db-shm'];
const MISSING = /^ledger\.db in \S+ (?:is missing or empty|holds \d+ entries), but this ledger has shown \d+ entries/m;
const DAMAGE = /CORRUPT|is damaged|is not an SQLite file|is of another program|has shown \d+ entries/;
/** Two passes of the scrub over what a run records. */
const SCRUB_MS = 4_000;
const PROVEN_AT_ONCE = 100;

/** Files as they are. Those that are not there are taken away when it is put back. */
function copyOf(campaign: Campaign, names: readonly string[], place = campaign.folder) {
  const copies = names.map((name) => ({ path: campaign.file(name), copy: join(place, `copy-${name}`) }));
  for (const { path, copy } of copies) {
    rmSync(copy, { force: true });
    if (existsSync(path)) copyFileSync(path, copy);
  }
  return {
    putBack: () => {
      for (const { path, copy } of copies) {
        rmSync(path, { force: true });
        // The shared memory of SQLite is made anew.
        if (existsSync(copy) && !path.endsWith('-shm')) copyFileSync(copy, path);
      }
    },
  };
}

/** Damages files, has the start reject it, puts the newest copy back, and starts. */
async function rejectAndRestore(campaign: Campaign, names: readonly string[], damage: () => void, why: RegExp) {
  const newest = copyOf(campaign, names);
  damage();
  await campaign.expectRejection(why);
  newest.putBack();
  await campaign.start();
}

async function deleteLedger(campaign: Campaign): Promise<void> {
  await campaign.end(campaign.chance.pick(['SIGTERM', 'SIGKILL']));
  const damage = () => {
    for (const name of LEDGER) rmSync(campaign.file(name), { force: true });
  };
  await rejectAndRestore(campaign, LEDGER, damage, MISSING);
}

async function damageMark(campaign: Campaign): Promise<void> {
  await campaign.end(campaign.chance.pick(['SIGTERM', 'SIGKILL']));
  const path = campaign.file('ledger.mark');
  const damage = () =>
    writeFileSync(
      path,
      readFileSync(path).map((byte) => (byte === 0 ? 0 : byte ^ 1)),
    );
  await rejectAndRestore(campaign, ['ledger.mark'], damage, /^ledger\.mark in \S+ is damaged/m);
}

async function damageKey(campaign: Campaign): Promise<void> {
  await campaign.end('SIGTERM');
  const path = campaign.file('ledger.key');
  const damage = () => {
    const bytes = readFileSync(path);
    bytes[campaign.chance.below(bytes.length - 8)]! ^= 1;
    writeFileSync(path, bytes);
  };
  await rejectAndRestore(
    campaign,
    ['ledger.key'],
    damage,
    /ledger\.key does not hold a ledger key: restore it from a backup|is not signed by the key/,
  );
}

/** The write-ahead file is cut or flipped: what is lost of it was acknowledged, or nothing is lost and nothing is reported. */
async function damageWriteAhead(campaign: Campaign): Promise<void> {
  const { chance } = campaign;
  await campaign.end('SIGKILL');
  const path = campaign.file('ledger.db-wal');
  const newest = copyOf(campaign, LEDGER);
  const { length } = existsSync(path) ? readFileSync(path) : [];
  if (length > 0) {
    if (chance.happens(0.5)) truncateSync(path, chance.below(length));
    else flip(path, chance.below(length), 1 << chance.below(8));
  }
  const end = await campaign.tryStart();
  if (end === undefined) return campaign.takeLoad();
  campaign.noteRejection(end);
  if (end.code !== 1 || !DAMAGE.test(end.words))
    campaign.journal.breaks(`a start ended with ${end.code}: ${end.words}`);
  newest.putBack();
  await campaign.start();
}

function flip(path: string, at: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= bit;
  writeFileSync(path, bytes);
}

/** A bit of a database is flipped: rejected at the start, found by the scrub, or it changes nothing that is read. */
async function flipDatabase(campaign: Campaign, names: readonly string[]): Promise<void> {
  const { chance, journal } = campaign;
  await campaign.end('SIGTERM');
  const path = campaign.file(names[0]!);
  const newest = copyOf(campaign, names);
  const at = chance.below(readFileSync(path).length);
  journal.write({ kind: 'detail', file: names[0], at });
  flip(path, at, 1 << chance.below(8));
  // Nothing is recorded meanwhile, by keys of its own neither, so that the copy stays the newest.
  const end = await campaign.tryStart({ ECT_SIGNING: 'direct' });
  if (end === undefined) {
    await readEverything(campaign);
    await campaign.end('SIGKILL');
  } else {
    campaign.noteRejection(end);
    if (end.code !== 1 || !DAMAGE.test(end.words)) journal.breaks(`a start ended with ${end.code}: ${end.words}`);
  }
  newest.putBack();
  await campaign.start();
}

/**
 * Until the scrub has found something, or had its time. What is proven is what was recorded, or an error that says why not. A list
 * proves nothing: it has to be right only where nothing was found.
 */
async function readEverything(campaign: Campaign): Promise<void> {
  using client = dial(campaign.run.address);
  const caller = { client, journal: campaign.journal, pools: campaign.pools };
  const untilMs = performance.now() + SCRUB_MS;
  const isFound = () => campaign.heard('storage-damaged') > 0;
  do {
    await readAsFarAsSound(campaign, () => getSome(caller, PROVEN_AT_ONCE));
    await pause(500);
  } while (!isFound() && performance.now() < untilMs && !campaign.run.hasEnded);
  if (!isFound()) await readAsFarAsSound(campaign, () => listAll(caller));
}

async function readAsFarAsSound({ journal }: Campaign, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (error.reason !== 'LEDGER_CORRUPT') journal.breaks(`a damaged ledger answers ${error.message}`);
  }
}

type WayOut = 'newest copy' | 'accept-loss' | 'new-origin';

/** An old copy is put back, and this way out is taken. */
async function restoreOld(campaign: Campaign, way: WayOut): Promise<void> {
  const { chance, folder } = campaign;
  await campaign.end('SIGTERM');
  const old = copyOf(campaign, LEDGER, join(folder, 'keys'));
  const left = entriesIn(campaign.file('ledger.db'));
  await campaign.start();
  await campaign.recover();
  await pause(chance.between(300, 1000));
  await campaign.end('SIGTERM');
  const newest = copyOf(campaign, LEDGER);
  old.putBack();
  await campaign.expectRejection(MISSING);
  campaign.journal.write({ kind: 'detail', way });
  if (way === 'newest copy') newest.putBack();
  else await goOnWith(campaign, way, left);
  await campaign.start();
}

let epochs = 0;

/** The ledger as it was is kept for the checker. */
async function goOnWith(campaign: Campaign, way: Exclude<WayOut, 'newest copy'>, left: number): Promise<void> {
  const database = join('epochs', `ledger-${epochs++}.db`);
  copyFileSync(join(campaign.folder, 'copy-ledger.db'), join(campaign.folder, database));
  const name = way === 'new-origin' ? ['--origin', `ledger.example/chaos-${epochs}`] : ['--note', 'chaos'];
  const args = ['ledger', way, '--data-dir', campaign.dataDir, '--yes', ...name];
  const { code, stdout, stderr } = await runMain(args);
  if (code !== 0) throw campaign.lost(`ect ledger ${way} ended with ${code}: ${stdout}${stderr}`);
  campaign.journal.write({ kind: 'epoch', way, database, kept: way === 'accept-loss' ? left : null });
  campaign.pools.forgetEntries(way === 'accept-loss' ? left : 0);
}

function entriesIn(path: string): number {
  const database = new DatabaseSync(path);
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM entries').get()?.['n']);
  } finally {
    database.close();
  }
}

export const STOPPED_FAULTS: Readonly<Record<string, (campaign: Campaign) => Promise<void>>> = {
  'delete-ledger': deleteLedger,
  'damage-mark': damageMark,
  'damage-key': damageKey,
  'damage-write-ahead': damageWriteAhead,
  'flip-ledger': (campaign) => flipDatabase(campaign, LEDGER),
  'flip-once': (campaign) => flipDatabase(campaign, ONCE),
  'restore-old': (campaign) => restoreOld(campaign, 'newest copy'),
  'accept-loss': (campaign) => restoreOld(campaign, 'accept-loss'),
  'new-origin': (campaign) => restoreOld(campaign, 'new-origin'),
};

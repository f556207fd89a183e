// Restores a backup as a data directory. Everything is copied and checked first, beside the existing files. Then the files are exchanged
// in an order that makes every start in between fail.

import { existsSync, lstatSync, statSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { RestoreFacts, RestoreRequest } from '../cli/backup.ts';
import { Rejected } from '../cli/exit.ts';
import { type DataDir, filesIn, openDataDir } from '../data-directory/data-dir.ts';
import { rejectMoved } from '../data-directory/moved-ledger.ts';
import { takeOwnership } from '../data-directory/ownership.ts';
import { EctError } from '../errors.ts';
import { directoryAmong } from '../files/atomic-files.ts';
import { clockForLoss, recordLoss } from '../maintenance/ledger-recovery.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { addMissingKeys, ledgerAge, onceAge, upgradeOnce } from '../stores/sqlite/index.ts';
import { checkFacts } from './check-facts.ts';
import { copyChecked } from './checked-copy.ts';
import { onceFaults } from './examine.ts';
import { judge } from './judge.ts';
import { type CheckedManifest, damaged, readManifest } from './manifest.ts';
import { CLOCK, isOfTheRun, isUnfinished, LEDGER, mayHold, ONCE, UNFINISHED } from './names.ts';
import { isWithin, realPlace } from './places.ts';
import { rejection, writeRejection } from './rejections.ts';
import { swapIn } from './swap.ts';

/** The directory of the copies. It is inside of the data directory, because a mounted volume cannot be renamed. */
const STAGE = 'restore.new';
/** Restores the backup. Throws if published entries would be lost, unless the request accepts that. */
export async function restoreBackup(request: RestoreRequest): Promise<RestoreFacts> {
  // Links in the data directory may be removed before everything is read.
  const backup = realPlace(request.backup);
  rejectOverlap(backup, realPlace(request.dataDir));
  const manifest = await readManifest(backup);
  try {
    rejectRoot(request.dataDir);
    const dir = await openDataDir(request.dataDir);
    // The restored files would be of no use, because no service starts in a moved directory.
    rejectMoved(dir);
    await using owned = new AsyncDisposableStack();
    const ownership = await takeOwnership(dir);
    owned.defer(() => ownership.release());
    await rejectForeignStage(join(dir.path, STAGE));
    owned.defer(() => rm(join(dir.path, STAGE), { recursive: true, force: true }));
    return await restoreInto(dir, backup, manifest, request);
  } catch (error) {
    throw error instanceof Rejected ? error : writeRejection(resolve(request.dataDir), error);
  }
}

/** Rejects a backup in the directory of the copies, which is emptied first. */
function rejectOverlap(backup: string, dataDir: string): void {
  if (backup === dataDir) {
    const message = `${backup} is both the backup and the data directory.`;
    throw rejection('directory_unusable', message, 'Name another directory with --data-dir.');
  }
  const stage = join(dataDir, STAGE);
  if (!isWithin(backup, stage)) return;
  const message = `The backup ${backup} is where a restore into ${dataDir} makes its copies. Nothing was changed.`;
  throw rejection('directory_unusable', message, 'Move it out of the data directory, and restore it from there.');
}

/** Rejects root in the directory of another user: that user's service could not read files of root. */
function rejectRoot(dataDir: string): void {
  const owner = statSync(dataDir, { throwIfNoEntry: false })?.uid;
  if (process.geteuid?.() !== 0 || owner === undefined || owner === 0) return;
  const message = `${resolve(dataDir)} belongs to user ${owner}, whose service could not read what root restores.`;
  throw rejection('directory_unusable', message, `Run the command as user ${owner}.`);
}

async function restoreInto(
  dir: DataDir,
  backup: string,
  manifest: CheckedManifest,
  { replaces, lossNote }: RestoreRequest,
): Promise<RestoreFacts> {
  const before = await namesBefore(dir);
  if (before.length > 0 && !replaces) {
    const message = `${dir.path} is not empty (${before.slice(0, 3).join(', ')}${before.length > 3 ? ', …' : ''}). Nothing was changed.`;
    const next =
      'Name an empty directory, or repeat with --replace: what is there is put aside, in a directory inside it.';
    throw rejection('directory_not_empty', message, next);
  }
  const ours = before.filter((name) => mayHold(name) || isOfTheRun(name));
  const directory = directoryAmong(dir.path, ours);
  if (directory !== undefined) {
    throw rejection('directory_unusable', `${directory}. Nothing was changed.`, 'Move it out of the data directory.');
  }
  const stage = filesIn(join(dir.path, STAGE));
  await stageFiles(backup, manifest, stage.path);
  rejectNewer(backup, manifest, stage);
  if (existsSync(stage.once)) {
    if (onceAge(stage.once, true) === 'older') await upgradeOnce(stage.once);
    const [fault] = await onceFaults(stage.once, true);
    if (fault !== undefined) throw damaged(backup, ONCE, fault);
  }
  const key = await checkFacts(backup, stage, manifest.ledger);
  const loss = await judge(dir, stage, key, { size: manifest.ledger.size, lossNote });
  // Before anything changes, because the clock of the directory dates the loss.
  const clock = loss && clockForLoss(dir);
  if (loss !== undefined) await MarkFile.replace(stage.mark, loss);
  const { stayed, onceFault } = await whatStays(dir);
  // A file that is kept may lack keys of the backup: it may be newer than the backup, or belong to another ledger. Additional keys only
  // reject more.
  const added = stayed.includes(ONCE) && existsSync(stage.once) ? await addMissingKeys(dir.once, stage.once) : 0;
  for (const name of stayed) await rm(join(stage.path, name), { force: true });
  const isStaying = (name: string) => stayed.some((file) => name === file || name.startsWith(`${file}-`));
  const keptIn = await swapIn(
    dir,
    stage.path,
    ours.filter((name) => !isStaying(name)),
  );
  const { ledger, createdAt } = manifest;
  const { origin, verifierKey, size, rootHash } = ledger;
  // Until the loss is stated every start fails, because the mark contains the published checkpoint.
  const stated = clock === undefined || lossNote === undefined ? undefined : await recordLoss(dir, lossNote, clock);
  const files = { directory: dir.path, keptIn, stayed, added, onceFault };
  return { ...files, origin, verifierKey, size, rootHash, createdAt, loss: stated };
}

async function namesBefore(dir: DataDir): Promise<readonly string[]> {
  const own = filesIn(dir.path);
  const ignored = [own.lock, own.owner, join(dir.path, STAGE), join(dir.path, 'lost+found')];
  return (await readdir(dir.path)).filter((name) => !ignored.includes(join(dir.path, name))).sort();
}

/** Removes the directory only if an interrupted restore left it. */
async function rejectForeignStage(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  const names = stats.isDirectory() ? await readdir(path) : undefined;
  if (names !== undefined && (names.length === 0 || isUnfinished(path))) return;
  const message = `${path} is not what an unfinished restore left. Nothing was changed.`;
  throw rejection('directory_unusable', message, 'Move it out of the data directory.');
}

/** Copies the backup into `path`, and checks each file against its checksum. */
async function stageFiles(backup: string, { files, sha256 }: CheckedManifest, path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, UNFINISHED), '', { flag: 'wx', mode: 0o600 });
  for (const { name, bytes } of files) {
    const expected = { bytes, sha256: sha256.get(name) ?? '' };
    const fault = await copyChecked(join(backup, name), join(path, name), expected);
    if (fault !== undefined) throw damaged(backup, name, fault);
  }
}

/** Rejects files that this release cannot read, because a start would reject them. */
function rejectNewer(backup: string, { version }: CheckedManifest, stage: DataDir): void {
  const ages = [
    [LEDGER, ledgerAge(stage.ledger, true)],
    [ONCE, existsSync(stage.once) ? onceAge(stage.once, true) : 'same'],
  ] as const;
  const newer = ages.find(([, age]) => age === 'newer');
  if (newer === undefined) return;
  const message = `${newer[0]} in the backup ${backup} was written by a newer release (${version}). Nothing was restored.`;
  throw rejection('backup_newer', message, `Restore it with release ${version} or a later one.`);
}

/** Returns the existing files that are kept: they are newer than the backup, and compatible with an older ledger. */
async function whatStays(dir: DataDir): Promise<{ stayed: readonly string[]; onceFault: string | undefined }> {
  const onceFault = existsSync(dir.once) ? await whyOnceGoes(dir) : undefined;
  const staysOnce = existsSync(dir.once) && onceFault === undefined;
  return { stayed: [...(staysOnce ? [ONCE] : []), ...(existsSync(dir.clock) ? [CLOCK] : [])], onceFault };
}

/** Returns why the file of uses cannot be kept; undefined if it can. A file of an older release is migrated, as at a start. */
async function whyOnceGoes({ once, onceDamage }: DataDir): Promise<string | undefined> {
  if (existsSync(onceDamage)) return 'it was found damaged before';
  const isAtRest = () => !existsSync(`${once}-wal`);
  const age = onceAge(once, isAtRest());
  if (age === 'newer') return 'it was written by a newer release, and this one cannot read it';
  try {
    if (age === 'older') await upgradeOnce(once);
  } catch (error) {
    if (error instanceof EctError && error.reason === 'ONCE_CORRUPT') return error.message;
    throw error;
  }
  const [fault] = await onceFaults(once, isAtRest());
  return fault;
}

// The public interface of copies: from a directory into a database, and back.

import type { CopyFacts, LedgerCopier } from '../cli/ledger-copy.ts';
import { readGivenLedgerKey } from '../data-directory/data-dir.ts';
import { rootKeysInUse } from '../key-manager/index.ts';
import { Ledger } from '../ledger/index.ts';
import { ledgerKeySetting } from '../maintenance/database-settings.ts';
import { copyLedger } from './copy-ledger.ts';
import { openDatabaseSource, openDatabaseTarget } from './database.ts';
import { openDirectorySource, openDirectoryTarget } from './directory.ts';
import type { CopySource, CopyTarget } from './ends.ts';
import { directoryRejection } from './rejections.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Returns the operations of `ect ledger copy`. `env` contains the settings of the database. */
export function ledgerCopier(env: Env): LedgerCopier {
  return {
    toDatabase: async (directory, onCopied) => {
      await using stack = new AsyncDisposableStack();
      const source = stack.adopt(await openDirectorySource(directory), close);
      const target = stack.adopt(await openDatabaseTarget(env), close);
      return await copyBetween(source, target, onCopied);
    },
    toDirectory: async (directory, onCopied) => {
      const keyFile = ledgerKeySetting(env);
      const key = await readGivenLedgerKey(keyFile).catch((error: unknown) => {
        throw directoryRejection(error);
      });
      await using stack = new AsyncDisposableStack();
      const source = stack.adopt(await openDatabaseSource(env, key), close);
      const target = stack.adopt(await openDirectoryTarget(directory, keyFile), close);
      return await copyBetween(source, target, onCopied);
    },
  };
}

function close(end: CopySource | CopyTarget): Promise<void> {
  return end.close();
}

async function copyBetween(
  source: CopySource,
  target: CopyTarget,
  onCopied: (done: number, total: number) => void,
): Promise<CopyFacts> {
  const { head, root, before, once } = await copyLedger(source, target, onCopied);
  const { origin, verifierKey } = source.key;
  const ledger = await Ledger.open({ store: source.store, key: source.key, nowMs: Date.now });
  const keys = await rootKeysInUse(ledger);
  return {
    source: source.name,
    target: target.name,
    origin,
    verifierKey,
    size: head.size,
    rootHash: Buffer.from(root).toString('base64'),
    before,
    once,
    signingKeys: keys.map(({ kid, locator }) => locator ?? kid),
  };
}

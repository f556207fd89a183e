// The files that all replicas of a service over PostgreSQL share, and the settings that name them.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateLedgerKey } from '../../src/ledger/index.ts';
import { generateKeyPem } from '../../src/signers/local/index.ts';
import { PASSWORD } from './postgres.ts';
import type { Settings } from './service-process.ts';

export interface ReplicaFiles {
  readonly folder: string;
  /** All settings that replicas need except the URL of the database. */
  readonly settings: Settings;
}

/** Writes the password of the database, a signing key and the ledger's key into a new folder, which the caller removes. */
export function makeReplicaFiles(ledgerKey = generateLedgerKey('ledger.example/ect')): ReplicaFiles {
  const folder = mkdtempSync(join(tmpdir(), 'ect-replicas-'));
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    folder,
    settings: {
      ECT_STORE: 'postgres',
      ECT_POSTGRES_PASSWORD_FILE: file('database-password', `${PASSWORD}\n`),
      ECT_LOCAL_KEY_FILE: file('signing-key.pem', generateKeyPem()),
      ECT_LEDGER_KEY_FILE: file('ledger.key', `${ledgerKey}\n`),
    },
  };
}

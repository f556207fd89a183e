// The settings of the store and of the ledger.

import type { Rules, Settings, ValuesOf } from './setting.ts';
import type { SignerConfig } from './signer.ts';
import { choice, path, text, whole } from './types.ts';

export interface LedgerConfig {
  /** The file with the key of a ledger that several processes share; undefined: the service creates a key in the data directory. */
  readonly keyFile: string | undefined;
  readonly audience: string;
  /** How many entries the scrub examines per second; 0: none. */
  readonly scrubEntriesPerSecond: number;
}

export interface WritesConfig {
  /** How much a caller may have stored per hour; 0: no limit. */
  readonly callerMibPerHour: number;
  /** With less free space nothing is written for callers; undefined: a fraction of the file system. */
  readonly minFreeDiskMib: number | undefined;
}

export const STORE_SETTINGS = {
  ECT_STORE: {
    type: choice('sqlite', 'postgres', 'memory'),
    default: 'sqlite',
    meaning:
      '`postgres`: [replicas](docs/operating.md#replicas-over-postgresql) share one database; `memory` keeps nothing: for experiments',
  },
  ECT_LEDGER_KEY_FILE: {
    type: path,
    meaning: 'with `ECT_STORE=postgres`: the key of the ledger, the same for all replicas (`ect keygen --ledger`)',
  },
  ECT_LEDGER_AUDIENCE: {
    type: text('text', 'a text', () => true),
    unset: 'any',
    meaning: 'record only tokens whose `aud` contains this value',
  },
  ECT_LEDGER_SCRUB_PER_SEC: {
    type: whole(0, 100_000),
    default: '200',
    meaning: 'entries of the ledger that the scrub examines each second; `0`: no scrub',
  },
  ECT_CALLER_WRITE_MIB_PER_HOUR: {
    type: whole(0, 1 << 20),
    default: '4096',
    meaning:
      'amount of data (entries, uses of tokens, request ids) that a caller may write in an hour, also in one burst; `0`: no limit',
  },
  ECT_MIN_FREE_DISK_MIB: {
    type: whole(0, 1 << 20),
    unset: '512, or a tenth of the disk',
    meaning: 'minimum of free space; below it nothing is written for callers, except the uses of their proofs',
  },
} satisfies Settings;

interface Surroundings {
  readonly signer: SignerConfig;
  readonly workers: number | 'auto';
}

export function ledgerConfig(
  values: ValuesOf<typeof STORE_SETTINGS>,
  { problem, needs }: Rules,
  { signer, workers }: Surroundings,
): LedgerConfig {
  const keyFile = values.ECT_LEDGER_KEY_FILE;
  if (workers !== 1 && values.ECT_STORE === 'memory') {
    problem(
      'ECT_WORKERS above 1 contradicts ECT_STORE=memory: each worker would have a separate ledger. Remove ECT_WORKERS, or set ECT_STORE=sqlite.',
    );
  }
  if (values.ECT_STORE === 'postgres') {
    for (const sentence of sharedKeyProblems(signer, keyFile)) problem(sentence);
    if (workers !== 1) {
      problem(
        'ECT_WORKERS above 1 contradicts ECT_STORE=postgres: remove ECT_WORKERS, and start one replica for each process.',
      );
    }
    needs(['ECT_LEDGER_SCRUB_PER_SEC', 'ECT_MIN_FREE_DISK_MIB'], 'ECT_STORE=sqlite');
  } else {
    needs(['ECT_LEDGER_KEY_FILE'], 'ECT_STORE=postgres');
  }
  return {
    keyFile,
    audience: values.ECT_LEDGER_AUDIENCE ?? '',
    scrubEntriesPerSecond: values.ECT_LEDGER_SCRUB_PER_SEC,
  };
}

/** Replicas must share their keys. If each created its own, each would reject the tokens and checkpoints of the others. */
function sharedKeyProblems(signer: SignerConfig, ledgerKeyFile: string | undefined): readonly string[] {
  const problems: string[] = [];
  if (signer.kind === 'local' && signer.keyFile === undefined) {
    problems.push(
      'ECT_STORE=postgres needs a signing key that all replicas have: `ect keygen --out signing-key.pem` makes one; ' +
        'give each replica that file, under one path, as ECT_LOCAL_KEY_FILE. Or set ECT_SIGNER=kms.',
    );
  }
  if (ledgerKeyFile === undefined) {
    problems.push(
      'ECT_STORE=postgres needs a ledger key that all replicas have: `ect keygen --ledger ledger.example/ect --out ledger.key` ' +
        'makes one; give each replica that file as ECT_LEDGER_KEY_FILE.',
    );
  }
  return problems;
}

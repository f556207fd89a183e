// The kinds of service that follow each other over one data directory: how many workers, and who signs.

import { generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KmsDouble } from '../../kms-double/server.ts';
import type { Settings } from '../support/service-process.ts';

export interface Variant {
  readonly workers: 1 | 2;
  readonly signer: 'local' | 'kms';
  readonly signing: 'direct' | 'two-tier';
}

export const VARIANTS: readonly Variant[] = ([1, 2] as const).flatMap((workers) =>
  (['local', 'kms'] as const).flatMap((signer) =>
    (['direct', 'two-tier'] as const).map((signing) => ({ workers, signer, signing })),
  ),
);

const REGION = 'eu-central-1';

/** Keys are announced for 1.4 s, a pass over a small ledger takes seconds, and nothing but warnings is logged. */
const COMMON: Settings = {
  ECT_LISTEN: '127.0.0.1:0',
  ECT_JWKS_MAX_AGE_SEC: '1',
  ECT_KEYS_REFRESH_SEC: '0.2',
  ECT_LEDGER_SCRUB_PER_SEC: '2000',
  ECT_LOG_LEVEL: 'warn',
};

export class Variants {
  readonly #keyFolder: string;
  readonly #kms: KmsDouble;
  #keys = 0;
  #key: Settings = {};
  #current: Variant = { workers: 1, signer: 'local', signing: 'direct' };

  constructor(keyFolder: string, kms: KmsDouble) {
    this.#keyFolder = keyFolder;
    this.#kms = kms;
    this.#key = this.#makeKey('local');
  }

  get current(): Variant {
    return this.#current;
  }

  get settings(): Settings {
    const { workers, signing } = this.#current;
    return { ...COMMON, ECT_WORKERS: String(workers), ECT_SIGNING: signing, ...this.#key };
  }

  /** The next process signs with a key of its own: a retired key never signs again. */
  change(variant: Variant, dataDir: string): void {
    if (variant.signer !== this.#current.signer) {
      this.#key = this.#makeKey(variant.signer);
      // As the operator does who means another key of KMS.
      rmSync(join(dataDir, 'kms-key.json'), { force: true });
    }
    this.#current = variant;
  }

  #makeKey(signer: Variant['signer']): Settings {
    this.#keys++;
    if (signer === 'local') {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const path = join(this.#keyFolder, `signing-${this.#keys}.pem`);
      writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      return { ECT_SIGNER: 'local', ECT_LOCAL_KEY_FILE: path };
    }
    const { keyId } = this.#kms.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
    return {
      ECT_SIGNER: 'kms',
      ECT_KMS_KEY: keyId,
      ECT_KMS_REGION: REGION,
      ECT_KMS_ENDPOINT: this.#kms.url,
      AWS_ACCESS_KEY_ID: this.#kms.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.#kms.credentials.secretAccessKey,
    };
  }
}

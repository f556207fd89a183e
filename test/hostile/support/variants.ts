// The services that are attacked, all with default settings but for these: cleartext or mTLS, one worker or two; and who attacks.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificateAuthority, issueServerCertificate, issueSvid } from '../../support/certificates.ts';
import type { Settings } from '../../support/service-process.ts';
import type { Credentials } from './target.ts';

/** Where an attacker stands. */
export interface Variant {
  readonly isTls: boolean;
  /** Whether the attacker proves an identity. In cleartext nobody does. */
  readonly hasCertificate: boolean;
  readonly workers: 1 | 2;
}

const variant = (isTls: boolean, hasCertificate: boolean, workers: 1 | 2): Variant => ({
  isTls,
  hasCertificate,
  workers,
});

export const CLEARTEXT = variant(false, false, 1);
const CLEARTEXT_TWO_WORKERS = variant(false, false, 2);
export const CERTIFICATE = variant(true, true, 1);
const CERTIFICATE_TWO_WORKERS = variant(true, true, 2);
export const NO_CERTIFICATE = variant(true, false, 1);
export const NO_CERTIFICATE_TWO_WORKERS = variant(true, false, 2);

export const EVERYWHERE = [CLEARTEXT, CLEARTEXT_TWO_WORKERS, CERTIFICATE, NO_CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS];
/** For what needs permission to begin with. */
export const PERMITTED = [CLEARTEXT, CERTIFICATE, CERTIFICATE_TWO_WORKERS];
/** For floods of good calls: only an identity tells those who make them from those who suffer. */
export const IDENTIFIED = [CERTIFICATE, CERTIFICATE_TWO_WORKERS];

export function titleOf({ isTls, hasCertificate, workers }: Variant): string {
  const who = !isTls ? 'cleartext' : hasCertificate ? 'mTLS with a certificate' : 'mTLS without a certificate';
  return workers === 1 ? who : `${who}, 2 workers`;
}

/** The settings of the service, and what each side proves itself with. Dispose it to remove its files. */
export interface Ground extends Disposable {
  readonly settings: Settings;
  readonly honest: Credentials | undefined;
  readonly attacker: Credentials | undefined;
  /** A caller with a certificate who is not the honest one; for what must be there before an attack. */
  readonly preparer: Credentials | undefined;
}

export function prepareGround({ isTls, hasCertificate, workers }: Variant): Ground {
  const common = workers === 1 ? {} : { ECT_WORKERS: String(workers) };
  if (!isTls) {
    const nobody = { honest: undefined, attacker: undefined, preparer: undefined };
    return { settings: common, ...nobody, [Symbol.dispose]: () => undefined };
  }
  const folder = mkdtempSync(join(tmpdir(), 'ect-hostile-'));
  using authority = createCertificateAuthority();
  const server = issueServerCertificate(authority);
  const files = { 'server.pem': server.cert, 'server.key': server.key, 'ca.pem': authority.cert };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  const credentialsOf = (name: string): Credentials => ({
    ca: authority.cert,
    ...issueSvid(authority, `spiffe://example.org/${name}`),
  });
  const attacker = credentialsOf('attacker');
  return {
    settings: {
      ...common,
      ECT_TLS_CERT: join(folder, 'server.pem'),
      ECT_TLS_KEY: join(folder, 'server.key'),
      ECT_TLS_CLIENT_CA: join(folder, 'ca.pem'),
    },
    honest: credentialsOf('honest'),
    attacker: hasCertificate ? attacker : { ca: authority.cert },
    preparer: attacker,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

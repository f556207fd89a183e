// Which settings say how callers prove who they are, and who administers.

import { isTrustDomain, isWorkloadId } from '../token/index.ts';
import type { SettingsReader } from './signer.ts';

/** The CAs of one trust domain. */
export interface BundleFile {
  readonly trustDomain: string;
  /** PEM. */
  readonly file: string;
}

export interface CallersConfig {
  /** Whether callers prove who they are. Otherwise everyone is anonymous. */
  readonly areProven: boolean;
  /** Whether a JWT of an issuer in the trust file proves a caller. */
  readonly byJwt: boolean;
  /** Proxies that say by a header for whom they call, by their SPIFFE IDs. */
  readonly forwarded:
    | { readonly proxies: readonly string[]; readonly header: 'x-forwarded-client-cert' | 'l5d-client-id' }
    | undefined;
}

/** All that these settings say, also what stands elsewhere in a Config. */
export interface CallerSettings extends CallersConfig {
  readonly clientCaFile: string | undefined;
  readonly clientBundles: readonly BundleFile[];
  readonly allowAnonymous: boolean;
  readonly administrators: readonly string[];
}

const HEADERS = ['x-forwarded-client-cert', 'l5d-client-id'] as const;

/** The shortest ways to prove callers, for who has configured none. */
const WAYS = [
  'ECT_TLS_CERT, ECT_TLS_KEY and ECT_TLS_CLIENT_CA (mutual TLS: callers have X.509-SVIDs of one CA)',
  'ECT_TLS_CLIENT_BUNDLES in the place of the CA (the same, for several trust domains)',
  'ECT_CALLER_JWTS=yes with ECT_TRUST_FILE and TLS (bearer tokens: JWT-SVIDs, Kubernetes service accounts, any OIDC issuer)',
  'one of the first two with ECT_FORWARDED_BY (a proxy in front of the service says for whom it calls)',
];

interface Surroundings {
  readonly hasTls: boolean;
  readonly isOnLoopback: boolean;
  readonly hasTrustFile: boolean;
}

export function readCallers(
  { read, path, problem, needs }: SettingsReader,
  { hasTls, isOnLoopback, hasTrustFile }: Surroundings,
): CallerSettings {
  const clientCaFile = path('ECT_TLS_CLIENT_CA') || undefined;
  const clientBundles = read<readonly BundleFile[]>(
    'ECT_TLS_CLIENT_BUNDLES',
    [],
    'trust domains with the files of their CAs and commas between them, each domain once: example.org=/etc/ect/example.org.pem',
    readBundles,
  );
  const bundled = clientBundles.length > 0;
  const proving = bundled ? 'ECT_TLS_CLIENT_BUNDLES' : 'ECT_TLS_CLIENT_CA';
  const byCertificate = bundled || clientCaFile !== undefined;
  const byJwt = readByJwt({ read, problem }, { hasTls, isOnLoopback, hasTrustFile });
  const areProven = byCertificate || byJwt;
  if (byCertificate && !hasTls) problem(`${proving} needs ECT_TLS_CERT and ECT_TLS_KEY.`);
  if (bundled && clientCaFile !== undefined) {
    problem(
      'ECT_TLS_CLIENT_BUNDLES and ECT_TLS_CLIENT_CA are both set, and the second vouches for every trust domain: remove one.',
    );
  }
  const allowAnonymous =
    read<'yes' | 'no'>('ECT_ALLOW_ANONYMOUS', 'no', 'yes or no', (text) =>
      text === 'yes' || text === 'no' ? text : undefined,
    ) === 'yes';
  if (areProven && allowAnonymous) {
    const what = byCertificate ? proving : 'ECT_CALLER_JWTS=yes';
    problem(`ECT_ALLOW_ANONYMOUS=yes contradicts ${what}: remove one of them.`);
  }
  if (!isOnLoopback && !areProven && !allowAnonymous) {
    problem(
      `ECT_LISTEN is not a loopback address, and callers are not authenticated. Set one of these: ${WAYS.join('; ')}. Or open the ` +
        'service to everyone who can reach it with ECT_ALLOW_ANONYMOUS=yes.',
    );
  }
  const forwarded = readForwarded({ read, problem, needs }, byCertificate);
  const administrators = readAdministrators({ read, problem }, areProven, isOnLoopback, forwarded?.proxies ?? []);
  return { areProven, byJwt, forwarded, clientCaFile, clientBundles, allowAnonymous, administrators };
}

function readByJwt(
  { read, problem }: Pick<SettingsReader, 'read' | 'problem'>,
  { hasTls, isOnLoopback, hasTrustFile }: Surroundings,
): boolean {
  const byJwt =
    read<'yes' | 'no'>('ECT_CALLER_JWTS', 'no', 'yes or no', (text) =>
      text === 'yes' || text === 'no' ? text : undefined,
    ) === 'yes';
  if (byJwt && !hasTrustFile) problem('ECT_CALLER_JWTS=yes needs ECT_TRUST_FILE, which names the issuers.');
  if (byJwt && !hasTls && !isOnLoopback) {
    problem(
      'ECT_CALLER_JWTS=yes needs ECT_TLS_CERT and ECT_TLS_KEY where ECT_LISTEN is not loopback: who hears a bearer token can use it.',
    );
  }
  return byJwt;
}

function readForwarded(
  { read, problem, needs }: Pick<SettingsReader, 'read' | 'problem' | 'needs'>,
  byCertificate: boolean,
): CallersConfig['forwarded'] {
  const rule = 'SPIFFE IDs of proxies with commas between them';
  const proxies = read<readonly string[]>('ECT_FORWARDED_BY', [], rule, (text) => readList(text, isWorkloadId));
  const header = read<(typeof HEADERS)[number]>('ECT_FORWARDED_HEADER', HEADERS[0], HEADERS.join(' or '), (text) =>
    HEADERS.find((name) => name === text),
  );
  if (proxies.length === 0) {
    needs(['ECT_FORWARDED_HEADER'], 'ECT_FORWARDED_BY');
    return undefined;
  }
  if (!byCertificate) {
    problem(
      'ECT_FORWARDED_BY needs ECT_TLS_CLIENT_CA or ECT_TLS_CLIENT_BUNDLES: a proxy is believed by its certificate.',
    );
  }
  return { proxies, header };
}

function readAdministrators(
  { read, problem }: Pick<SettingsReader, 'read' | 'problem'>,
  areProven: boolean,
  isOnLoopback: boolean,
  proxies: readonly string[],
): readonly string[] {
  const rule = 'SPIFFE IDs with commas between them, or anonymous';
  const named = read<readonly string[]>('ECT_ADMINS', [], rule, (text) =>
    readList(text, (entry) => entry === 'anonymous' || isWorkloadId(entry)),
  );
  if (named.includes('anonymous') && !isOnLoopback) {
    problem('ECT_ADMINS=anonymous would make everybody an administrator: it is for ECT_LISTEN on loopback only.');
  }
  if (named.length > 0 && !named.some((name) => (name === 'anonymous') !== areProven)) {
    problem(
      areProven
        ? 'ECT_ADMINS=anonymous is nobody where every caller has an identity: name SPIFFE IDs.'
        : 'ECT_ADMINS names SPIFFE IDs, which callers cannot prove: set ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES or ECT_CALLER_JWTS too.',
    );
  }
  if (named.some((name) => proxies.includes(name))) {
    problem('ECT_ADMINS names a proxy of ECT_FORWARDED_BY, which calls for others and is never a caller itself.');
  }
  return named;
}

/** Entries with commas between them; blanks around an entry are no part of it. */
function readList(text: string, isRight: (entry: string) => boolean): readonly string[] | undefined {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.every(isRight) ? entries : undefined;
}

/** A key or a certificate in the place of its file would be shown by the error that its file is not there. */
const PATH = /^(?!.*(?:\p{Cc}|-----BEGIN|\{)).+$/u;

function readBundles(text: string): readonly BundleFile[] | undefined {
  const bundles = new Map<string, string>();
  for (const entry of text.split(',')) {
    const [, trustDomain = '', file = ''] = /^([^=]*)=(.*)$/s.exec(entry.trim()) ?? [];
    if (!isTrustDomain(trustDomain) || !PATH.test(file) || bundles.has(trustDomain)) return undefined;
    bundles.set(trustDomain, file);
  }
  return [...bundles].map(([trustDomain, file]) => ({ trustDomain, file }));
}

// `/.well-known/ect-authority`: what somebody needs to know of this authority before anything else, in one JSON document.

import type { Page } from './pages.ts';

/** What the document says. */
export interface AuthorityFacts {
  /** Of the release that runs. */
  readonly version: string;
  readonly issuer: string;
  /** Of tokens that are verified here. */
  readonly algorithms: readonly string[];
  readonly drafts: readonly string[];
  /** Full names of the gRPC services. */
  readonly services: readonly string[];
  readonly ledgerOrigin: string;
  readonly ledgerVerifierKey: string;
  readonly maxAgeSeconds: number;
  /** `https://ect.example`, under which all of it is reached. */
  readonly url: () => string;
}

export function authorityPage(facts: AuthorityFacts): Page {
  return {
    path: '/.well-known/ect-authority',
    isOpen: true,
    read: () => ({
      status: 200,
      contentType: 'application/json',
      body: `${JSON.stringify(documentOf(facts), undefined, 2)}\n`,
      maxAgeSeconds: facts.maxAgeSeconds,
    }),
  };
}

function documentOf({
  version,
  issuer,
  algorithms,
  drafts,
  services,
  ledgerOrigin,
  ledgerVerifierKey,
  url,
}: AuthorityFacts) {
  return {
    issuer,
    version,
    signing_alg: 'ES256',
    verification_algs: algorithms,
    drafts: drafts.map((draft) => `draft-nennemann-wimse-ect-${draft}`),
    jwks_uri: `${url()}/.well-known/jwks.json`,
    endpoints: Object.fromEntries(services.map((name) => [name, `${url()}/${name}`])),
    ledger: { origin: ledgerOrigin, verifier_key: ledgerVerifierKey },
  };
}

// The keys of foreign issuers, and how they are fetched.

export type { Network } from './addresses.ts';
export type { DocumentOptions } from './document.ts';
export {
  type CallerIssuer,
  ForeignIssuers,
  type ForeignKeyEvents,
  keysUnavailable,
} from './foreign-issuers.ts';
export type { CallerTrust, Issuer, LoadedSource } from './issuer.ts';
export { type ForeignKey, type KeySetContent, KeySetFault } from './key-set.ts';
export { type ReadBundle, readLocalFiles } from './load-key-set.ts';
export { readTrust, type Trust, type TrustSurroundings } from './read-issuers.ts';

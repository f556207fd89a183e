export { openCertificate } from './certificate.ts';
export { Custody, type KeyChange, type KeyQuery } from './custody.ts';
export { KeyAudit } from './key-audit.ts';
export { isKeyLeafOf, KEY_SCOPE, type KeyLeaf, type KeyState, keyEntryName } from './key-entry.ts';
export { endOf, type KeyRecord } from './key-fold.ts';
export type { KeyPage } from './key-log.ts';
export { type RootKeyInUse, rootKeysInUse } from './past-keys.ts';
export type { AwaitedRoot, CustodyPolicy, CustodyPorts, RootKey } from './ports.ts';
export { type RotationOrder, USE_NEXT } from './root-keys.ts';

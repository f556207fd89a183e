export { openCertificate } from './certificate.ts';
export { Custody, type KeyChange } from './custody.ts';
export { KeyAudit } from './key-audit.ts';
export { isKeyLeafOf, KEY_SCOPE, type KeyLeaf, type KeyState, keyEntryName } from './key-entry.ts';
export { endOf, type KeyRecord } from './key-history.ts';
export type { CustodyPolicy, CustodyPorts, RootKey } from './ports.ts';
export type { RotationOrder } from './root-keys.ts';

export { openCertificate } from './certificate.ts';
export { KeyAudit } from './key-audit.ts';
export { isKeyLeafOf, KEY_SCOPE, type KeyLeaf, type KeyState, keyEntryName } from './key-entry.ts';
export type { KeyPage } from './key-log.ts';
export { type KeyChange, KeyManager, type KeyQuery } from './key-manager.ts';
export { endOf, type KeyRecord } from './key-states.ts';
export { type RootKeyInUse, rootKeysInUse } from './past-keys.ts';
export type { AwaitedRoot, KeyManagerPolicy, KeyManagerPorts, RootKey } from './ports.ts';
export { type RotationInput, USE_NEXT } from './root-keys.ts';

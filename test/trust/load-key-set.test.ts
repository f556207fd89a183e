import { expect, test } from 'vitest';
import type { LoadedSource } from '../../src/trust/index.ts';
import { loadKeySet, requestFrom } from '../../src/trust/load-key-set.ts';

test.each([
  ['https://issuer.test/keys', 'Bearer x'],
  ['https://issuer.test:443/keys', 'Bearer x'],
  ['https://issuer.test:8443/keys', undefined],
  ['https://keys.issuer.test/', undefined],
  ['https://issuer.test.example/', undefined],
])('K2: the secret for the server of a document is sent to it alone: %s', (url, authorization) => {
  const first = {
    url: new URL('https://issuer.test/d'),
    network: 'public',
    ca: 'PEM',
    authorization: 'Bearer x',
  } as const;
  expect(requestFrom(first, new URL(url))).toEqual({ ...first, url: new URL(url), authorization });
});

test('K3: a bundle from the agent is as large as a key set from elsewhere, at most', async () => {
  const source = { kind: 'workload_api', place: 'partner.example', network: 'public' } as LoadedSource;
  const readBundle = (): Promise<Uint8Array> => Promise.resolve(Buffer.alloc(256 * 1024 + 1, ' '));
  await expect(loadKeySet('spiffe://partner.example', source, { readBundle })).rejects.toThrow('larger than 262144');
});

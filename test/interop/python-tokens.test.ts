// Tokens made and read by PyJWT and jwcrypto, in both drafts and under every algorithm that can be added.

import { expect, test } from 'vitest';
import { describeWhen } from '../support/need.ts';
import { AUDIENCE, exchangeTokens, type Read } from './foreign-tokens.ts';
import { askPython, PYTHON_NEED, python } from './python-client.ts';

interface Reading {
  readonly header: Read['header'];
  readonly pyjwt: Read['claims'];
  readonly jwcrypto: Read['claims'];
  readonly refused: readonly string[];
}

describeWhen(python !== undefined, 'Python', PYTHON_NEED, () => {
  test('its tokens are accepted and recorded here, ours are read there, and what is forged is rejected on both sides', async () => {
    await exchangeTokens(
      {
        make: async (aud) => JSON.parse(await askPython({ make: { aud } })),
        read: async (tokens, jwks) => {
          const read = JSON.parse(await askPython({ read: { tokens, jwks, aud: AUDIENCE } })) as readonly Reading[];
          for (const { pyjwt, jwcrypto, refused } of read) {
            expect(jwcrypto).toEqual(pyjwt);
            expect(refused).toEqual(['InvalidSignatureError', 'InvalidJWSSignature']);
          }
          return read.map(({ header, pyjwt: claims }) => ({ header, claims }));
        },
      },
      8,
    );
  });
});

// Signatures that every verifier must accept, whichever form their two numbers have.

import { valid } from './collect.ts';
import { header, signParts } from './token.ts';

/** The order of the group of P-256 (FIPS 186-5). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
valid('signature/high-s', 'ECDSA is malleable: the twin with n - s verifies too, and is the same token.', {
  write: (claims) => {
    const token = signParts(header, claims);
    const at = token.lastIndexOf('.') + 1;
    const raw = Buffer.from(token.slice(at), 'base64url').toString('hex');
    const s = (ORDER - BigInt(`0x${raw.slice(64)}`)).toString(16).padStart(64, '0');
    return token.slice(0, at) + Buffer.from(raw.slice(0, 64) + s, 'hex').toString('base64url');
  },
});
valid('signature/r-begins-with-zero', 'A number of a signature that begins with a zero octet keeps it.', {
  write: (claims) => signedUntil(claims, (raw) => raw[0] === 0),
});
valid('signature/s-begins-with-zero', 'The second number of a signature keeps its leading zero octet too.', {
  write: (claims) => signedUntil(claims, (raw) => raw[32] === 0),
});

/** Signs with one more unknown claim each time, until the signature is as wanted. */
function signedUntil(claims: object, isWanted: (raw: Buffer) => boolean): string {
  for (let count = 0; ; count++) {
    const token = signParts(header, { ...claims, count });
    if (isWanted(Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url'))) return token;
  }
}

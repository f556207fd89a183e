// Claims the same tokens as its siblings, all at once. Prints those that were fresh.

import { hash } from 'node:crypto';
import { SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';

const [path, tokens] = process.argv.slice(2) as [string, string];

const guard = SqliteReplayGuard.open(path);
const digest = hash('sha256', 'signing input', 'buffer');
const claims = Array.from({ length: Number(tokens) }, async (_, n) => {
  const use = { audience: 'b', iss: 'a', wid: '', jti: `${n}`, iat: 0, digest, signingInput: 'a.b', requestId: '' };
  const claim = await guard.claim(use, 2_000, 1_000);
  return `${n} ${typeof claim === 'string' ? claim : 'equivocated'}`;
});
for (const line of await Promise.all(claims)) if (line.endsWith('fresh')) console.log(line);
await guard.close();

// A stranger in Go: what a running service gave out, judged by go-jose and by Go's sumdb.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWith } from '../support/need.ts';
import { startService } from '../support/service-process.ts';
import { BUILD_MS, runProgram } from './run-program.ts';

const AUDIENCE = 'urn:example:reviewer';
const ENTRIES = 6;
/** The key is announced, and made active. */
const KEY_ENTRIES = 2;

describeWith('go', 'Go', () => {
  test(
    'L12 a token and a receipt of a running service verify there, and what is tampered fails there',
    async () => {
      await using service = await startService();
      const post = async (method: string, request: object) => {
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`${service.url}/ect.v1.${method}`, {
          method: 'POST',
          headers,
          body: JSON.stringify(request),
        });
        expect(answer.status).toBe(200);
        return JSON.parse(await answer.text());
      };
      const issue = () => post('AuthorityService/Issue', { execAct: 'review', aud: [AUDIENCE], level: 'LEVEL_L3' });
      const issued = [];
      for (let count = 0; count < ENTRIES; count += 1) issued.push(await issue());
      // Not the last one, so that its path has siblings on both sides.
      const { token, kid, claims } = issued[2];
      const { receipt } = await post('LedgerService/GetEntry', { task: { jti: claims.jti } });
      const { ledgerVerifierKey } = await post('KeyService/GetKeySet', {});
      const jwks = await (await fetch(`${service.url}/.well-known/jwks.json`)).json();

      const folder = await mkdtemp(join(tmpdir(), 'ect-go-'));
      try {
        const file = join(folder, 'evidence.json');
        await writeFile(file, JSON.stringify({ token, jwks, receipt, verifierKey: ledgerVerifierKey }));
        const cwd = new URL('go-client/', import.meta.url);
        const { code, stdout, stderr } = await runProgram('go', ['run', '.', file], { cwd, limitMs: BUILD_MS });
        expect({ code, stderr: stderr.replaceAll(/^go: downloading .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
        expect(JSON.parse(stdout)).toEqual({
          Kid: kid,
          Typ: 'exec+jwt',
          Jti: claims.jti,
          Origin: ledgerVerifierKey.split('+')[0],
          LeafIndex: KEY_ENTRIES + 2,
          TreeSize: KEY_ENTRIES + ENTRIES,
          Refused: 4,
        });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    BUILD_MS,
  );
});

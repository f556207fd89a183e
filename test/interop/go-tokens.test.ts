// Tokens made and read by go-jose, in both drafts and under every algorithm that can be added.

import { expect, test } from 'vitest';
import { describeWith } from '../support/need.ts';
import { exchangeTokens } from './foreign-tokens.ts';
import { BUILD_MS, runProgram } from './run-program.ts';

async function askGo(asked: object): Promise<string> {
  const cwd = new URL('go-tokens/', import.meta.url);
  const options = { cwd, input: JSON.stringify(asked), limitMs: BUILD_MS };
  const { code, stdout, stderr } = await runProgram('go', ['run', '.'], options);
  expect({ code, stderr: stderr.replaceAll(/^go: downloading .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describeWith('go', 'Go', () => {
  test(
    'its tokens are accepted and recorded here, ours are read there, and what is forged is rejected on both sides',
    async () => {
      await exchangeTokens(
        {
          make: async (aud) => JSON.parse(await askGo({ make: { aud } })),
          read: async (tokens, jwks) => JSON.parse(await askGo({ read: { tokens, jwks } })),
        },
        4,
      );
    },
    BUILD_MS,
  );
});

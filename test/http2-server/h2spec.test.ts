// A stranger that knows HTTP/2 well: h2spec, all of its cases and the strict ones too, against the whole port.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BUILD_MS, runProgram } from '../interop/run-program.ts';
import { describeWith } from '../support/need.ts';
import { authorityClient } from '../support/rpc-clients.ts';
import { startTestServer } from '../support/rpc-server.ts';

const CASES = 146;

/** Cases that the port fails, and why it may. */
const DEVIATIONS = {
  // What does not begin as HTTP/2 does is HTTP/1.1 on this port, and is answered in its words: 400, and closed.
  'http2/3.5/2 Sends invalid connection preface': 'Error: unexpected EOF',
};

interface Report {
  readonly Passed: number;
  readonly Skipped: number;
  readonly Failures: readonly { readonly Case: string; readonly Error: string }[];
}

describeWith('go', 'h2spec', () => {
  test(
    'H19: finds nothing but what is known and meant, and the port goes on',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'ect-h2spec-'));
      try {
        const program = join(folder, 'h2spec');
        const build = ['build', '-o', program, '.'];
        const built = await runProgram('go', build, { cwd: new URL('go-h2spec/', import.meta.url), limitMs: BUILD_MS });
        expect(built.code, built.stderr).toBe(0);
        await using running = await startTestServer();
        const { code, stdout, stderr } = await runProgram(program, [String(running.server.address.port)]);
        expect(code, stderr).toBe(0);
        const { Passed, Skipped, Failures } = JSON.parse(stdout) as Report;
        const found = Object.fromEntries(Failures.map(({ Case, Error: error }) => [Case, error.split('\n').at(-1)]));
        expect(found).toEqual(DEVIATIONS);
        expect({ Passed, Skipped }).toEqual({ Passed: CASES - Object.keys(DEVIATIONS).length, Skipped: 0 });
        expect((await authorityClient(running.server.url, 'gRPC over HTTP/2').issue({})).token).toMatch(/^issued for/);
        expect(running.lines.filter(({ event }) => event === 'bug')).toEqual([]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    2 * BUILD_MS,
  );
});

// Tests that need a program which not every machine has. If it is missing they are skipped, and say so; in CI they fail, so that nothing
// is skipped unnoticed.

import { spawnSync } from 'node:child_process';
import { describe, test } from 'vitest';

/** The command with which each program shows that it can run. */
const PROBES = {
  go: ['version'],
  python3: ['--version'],
  buf: ['--version'],
  curl: ['--version'],
  openssl: ['version'],
  strace: ['--version'],
  mvn: ['--version'],
} as const;

export type Program = keyof typeof PROBES;

/** A `describe` for tests that need `program` on the PATH. */
export function describeWith(program: Program, title: string, tests: () => void): void {
  describeWhen(isThere(program), title, `${program} on the PATH`, tests);
}

/** A `describe` for tests with a requirement. `need` describes it; `isMet` says whether it is met. */
export function describeWhen(isMet: boolean, title: string, need: string, tests: () => void): void {
  if (isMet) {
    describe(title, tests);
  } else if (process.env['CI']) {
    describe(title, () => {
      test(`needs ${need}`, () => {
        throw new Error(`this needs ${need}, and in CI nothing is skipped`);
      });
    });
  } else {
    console.warn(`SKIPPED: "${title}" needs ${need}`);
    describe.skip(`${title} (needs ${need})`, tests);
  }
}

function isThere(program: Program): boolean {
  return spawnSync(program, PROBES[program], { stdio: 'ignore' }).status === 0;
}

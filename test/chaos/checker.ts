// Runs the checker, which is a program of its own in Python.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../interop/run-program.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = fileURLToPath(new URL('checker/check.py', import.meta.url));

/** A Python that has what the checker imports. */
export const python = [`${REPOSITORY}.venv-interop/bin/python`, 'python3'].find(
  (program) => spawnSync(program, ['-c', 'import cryptography'], { stdio: 'ignore' }).status === 0,
);

export const PYTHON_NEED = 'python3 with cryptography: run test/interop/python/setup.sh';

export interface Checked {
  readonly ok: boolean;
  /** By kind. */
  readonly findings: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
  /** One sentence each. */
  readonly sentences: readonly string[];
}

/** Holds a journal against the ledger that the run left. */
export async function check(journal: string, ledger: string): Promise<Checked> {
  const env = { PYTHONDONTWRITEBYTECODE: '1' };
  const { code, stdout, stderr } = await runProgram(python ?? '', [PROGRAM, journal, ledger], { env });
  if (code !== 0 && code !== 1) throw new Error(`the checker ended with ${code}: ${stderr}`);
  if (stdout === '') throw new Error(`the checker says nothing: ${stderr}`);
  return { ...JSON.parse(stdout), sentences: stderr.split('\n').filter(Boolean) };
}

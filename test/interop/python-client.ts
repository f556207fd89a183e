// The client in Python: which interpreter has what it imports, and the code that it imports, generated from our protos.

import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { runProgram } from './run-program.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const TOKENS = fileURLToPath(new URL('python/tokens.py', import.meta.url));
const CLIENT = fileURLToPath(new URL('python/client.py', import.meta.url));

/** A Python that has what the client imports: of the environment that setup.sh makes, or the machine's own. */
export const python = [join(REPOSITORY, '.venv-interop/bin/python'), 'python3'].find(
  (program) =>
    spawnSync(program, ['-c', 'import grpc_tools, grpc_status, jwt, jwcrypto'], { stdio: 'ignore' }).status === 0,
);

export const PYTHON_NEED =
  'python3 with grpcio-tools, grpcio-status, PyJWT and jwcrypto: run test/interop/python/setup.sh';

/** Generates the client's imports into a folder, and the google.rpc messages of our protos beside them. */
export async function generatePython(folder: string): Promise<void> {
  const folders = ['ect/v1', 'google/rpc'];
  const lists = await Promise.all(
    folders.map(async (name) => (await readdir(join(REPOSITORY, 'proto', name))).map((file) => join(name, file))),
  );
  const options = ['-I', 'proto', `--python_out=${folder}`, `--grpc_python_out=${folder}`];
  const args = ['-m', 'grpc_tools.protoc', ...options, ...lists.flat()];
  const { code, stderr } = await runProgram(python ?? '', args, { cwd: REPOSITORY });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** Lets two libraries in Python make or read tokens: `asked` is what `tokens.py` explains. */
export async function askPython(asked: object): Promise<string> {
  const env = { PYTHONDONTWRITEBYTECODE: '1' };
  const { code, stdout, stderr } = await runProgram(python ?? '', [TOKENS], { input: JSON.stringify(asked), env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** Runs the client against a service, and answers what it found. `jwks` is the key set document. */
export async function runPythonClient(folder: string, address: string, jwks: unknown) {
  const input = JSON.stringify({ address, jwks });
  const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
  const { code, stdout, stderr } = await runProgram(python ?? '', [CLIENT], { input, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

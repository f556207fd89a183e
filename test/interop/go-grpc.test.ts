// A stranger in Go: grpc-go, which most gRPC services are called by, at both transports.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { makeAuthority } from '../support/authority.ts';
import { describeWith } from '../support/need.ts';
import { startBothTransports, TRANSPORTS } from '../transport/parity/both-transports.ts';
import { permissiveService } from '../transport/parity/permissive-service.ts';
import { BUILD_MS, runProgram } from './run-program.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const BUF = join(REPOSITORY, 'node_modules/.bin/buf');

let folder: string;

async function run(program: string, args: readonly string[], cwd: string | URL): Promise<void> {
  const { code, stderr } = await runProgram(program, args, { cwd, limitMs: BUILD_MS });
  expect({ code, stderr: stderr.replaceAll(/^go: downloading .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
}

describeWith('go', 'grpc-go', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ect-go-grpc-'));
    await run(BUF, ['build', 'proto', '-o', join(folder, 'descriptors.binpb')], REPOSITORY);
    await run('go', ['build', '-o', join(folder, 'client'), '.'], new URL('go-grpc/', import.meta.url));
  }, 2 * BUILD_MS);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(TRANSPORTS)(
    'does it all over the %s transport, compressed or not, and learns why it is rejected',
    async (transport) => {
      const { context } = await makeAuthority();
      await using authority = await startBothTransports(() => [authorityService(context)]);
      await using willing = await startBothTransports(() => [permissiveService([])]);
      const addressOf = (url: string) => new URL(url).host;
      const input = JSON.stringify({
        authority: addressOf(authority[transport].server.url),
        willing: addressOf(willing[transport].server.url),
        descriptors: join(folder, 'descriptors.binpb'),
      });
      const { code, stdout, stderr } = await runProgram(join(folder, 'client'), [], { input });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });

      const used = {
        iss: 'urn:ect:test',
        verdicts: [
          { valid: true, reason: null },
          { valid: false, reason: 'ERROR_REASON_TOKEN_REPLAYED' },
        ],
        recorded: true,
        duplicates: [false, true],
        sameEntry: true,
      };
      const rejection = (Code: string, Reason: string, Metadata: object | null = null) => ({
        Code,
        Reason,
        Domain: 'ect-authority',
        Metadata,
      });
      expect(JSON.parse(stdout)).toEqual({
        plain: used,
        compressed: used,
        refused: rejection('PermissionDenied', 'ISSUER_NOT_ALLOWED', { iss: 'urn:other' }),
        malformed: rejection('InvalidArgument', 'TOKEN_MALFORMED'),
        unknown: rejection('Unimplemented', 'METHOD_UNKNOWN'),
        metadata: 'OK',
        late: 'DeadlineExceeded',
        cancelled: 'Canceled',
        large: rejection('ResourceExhausted', 'MESSAGE_TOO_LARGE', { limit_bytes: '4096' }),
      });
      expect([authority[transport].bugs(), willing[transport].bugs()]).toEqual([[], []]);
    },
  );
});

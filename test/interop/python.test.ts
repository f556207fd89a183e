// A stranger in Python: a client generated from the protos by grpcio-tools, and tokens read by PyJWT and jwcrypto.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWhen } from '../support/need.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { generatePython, PYTHON_NEED, python, runPythonClient } from './python-client.ts';

let service: ServiceProcess;
let generated: string;

describeWhen(python !== undefined, 'Python', PYTHON_NEED, () => {
  beforeAll(async () => {
    generated = await mkdtemp(join(tmpdir(), 'ect-python-'));
    service = await startService();
  });

  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await rm(generated, { recursive: true, force: true });
  });

  test('a client generated from the protos does it all, and two JOSE libraries verify the token', async () => {
    await generatePython(generated);
    const page = await fetch(`${service.url}/.well-known/jwks.json`);
    const jwks = (await page.json()) as { keys: readonly { kid: string }[] };
    const found = await runPythonClient(generated, service.address, jwks);
    const { jti } = found.issued;
    expect(found.issued).toEqual({ jti: expect.any(String), iss: 'urn:ect:dev', kid: jwks.keys[0]?.kid });
    expect(found.verdicts).toEqual([
      { valid: true, reason: '' },
      { valid: false, reason: 'ERROR_REASON_TOKEN_REPLAYED' },
    ]);
    expect(found.graph).toEqual({ status: 'DAG_STATUS_COMPLETE', size: 1, roots: [['', jti]] });
    expect(found.recorded).toEqual({
      jti,
      duplicates: [false, true],
      same_index: true,
      same_entry: true,
      checkpoint_in_proof: true,
    });
    expect(found.batch).toEqual([
      { reference: 'good', kind: 'response', reason: '' },
      { reference: 'bad', kind: 'error', reason: 'CLAIM_INVALID' },
    ]);
    expect(found.refused).toEqual({
      code: 'PERMISSION_DENIED',
      status_code: 7,
      domain: 'ect-authority',
      reason: 'ISSUER_NOT_ALLOWED',
      metadata: { iss: 'urn:other' },
    });
    expect(found.late).toBe('DEADLINE_EXCEEDED');
    const stringFor = (field: string) => ({
      code: 'INVALID_ARGUMENT',
      status_code: 3,
      domain: 'ect-authority',
      reason: 'REQUEST_INVALID',
      metadata: { field },
    });
    expect(found.strings).toEqual({
      aud: stringFor('aud'),
      'aud, extended': stringFor('aud'),
      'aud, long': stringFor('aud'),
      pred: stringFor('pred'),
      predecessor_tokens: stringFor('predecessor_tokens'),
      'bundle.tokens': stringFor('bundle.tokens'),
    });

    const asRead = { typ: 'exec+jwt', jti, pred: [] };
    expect(found).toMatchObject({ pyjwt: asRead, jwcrypto: asRead });
    expect(found.pyjwt_forged).toBe('InvalidSignatureError');
    expect(found.jwcrypto_forged).toBe('InvalidJWSSignature');
  });
});

// Rival: a bare @grpc/grpc-js server with the same schema that does the one operation which nobody can do without, in its
// fastest form, and answers as many bytes as we do. Arguments: the work, our key file, a file with one of our answers; where rows go
// into PostgreSQL, its place as JSON.

import { createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { rawToDer } from '../../src/keys/ecdsa.ts';
import { readKeyFile } from '../../src/signers/local/index.ts';
import { type DatabasePlace, openPostgresRows } from './postgres-rows.ts';
import type { Rows } from './row-batches.ts';
import { openRows } from './sqlite-rows.ts';

const RAW_SIGNATURE_BYTES = 64;

/** The requests of Verify and AppendLedger, as far as a bare server reads them. */
interface TokenRequest {
  readonly token: string;
}

interface RecordAnswer {
  readonly entry: { readonly task: { readonly name: { readonly wid: string } } };
  readonly receipt: { readonly leaf: Uint8Array; readonly inclusion: { readonly salt: Uint8Array } };
}

const [work = '', keyFile = '', answerFile = '', place = ''] = process.argv.slice(2);
const privateKey = await readKeyFile(keyFile);
const publicKey = createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
const answer = await readFile(answerFile);
// protobufjs behind proto-loader: with these messages it takes half the time of protobuf-es.
const protos = fileURLToPath(new URL('../../proto', import.meta.url));
const definition = loadSync('ect/v1/authority.proto', { includeDirs: [protos], longs: Number, enums: Number });
const methods = definition['ect.v1.AuthorityService'] as ServiceDefinition;

/** Signs and answers our token with this signature in the place of ours. */
function signing(template: TokenRequest): handleUnaryCall<unknown, unknown> {
  const end = template.token.lastIndexOf('.') + 1;
  const signedText = template.token.slice(0, end);
  const signingInput = Buffer.from(signedText.slice(0, -1), 'latin1');
  return (_, reply) => {
    const der = sign('sha256', signingInput, privateKey);
    const token = signedText + der.toString('base64url', 0, RAW_SIGNATURE_BYTES);
    reply(null, { ...template, token });
  };
}

function verifying(template: object): handleUnaryCall<TokenRequest, unknown> {
  return ({ request }, reply) => reply(null, { ...template, valid: signatureHolds(request.token, publicKey) });
}

/** Verifies, and answers when the row is on the disk. */
function recording(template: RecordAnswer, rows: Rows): handleUnaryCall<TokenRequest, unknown> {
  const { wid } = template.entry.task.name;
  const {
    leaf,
    inclusion: { salt },
  } = template.receipt;
  return ({ request: { token } }, reply) => {
    if (!signatureHolds(token, publicKey)) {
      reply({ code: status.INVALID_ARGUMENT });
      return;
    }
    const row = { name: randomUUID(), scope: wid, leaf, salt, content: Buffer.from(token, 'latin1') };
    rows.add(row, () => reply(null, template));
  };
}

function signatureHolds(token: string, key: KeyObject): boolean {
  const end = token.lastIndexOf('.');
  const signature = rawToDer(Buffer.from(token.slice(end + 1), 'base64url'));
  return verify('sha256', Buffer.from(token.slice(0, end), 'latin1'), key, signature);
}

function serve(server: Server, name: string, handlerFor: (template: never) => unknown): void {
  const method = methods[name];
  if (method === undefined) throw new TypeError(`the schema has no method ${name}`);
  const handle = handlerFor(method.responseDeserialize(answer) as never);
  server.addService({ handle: method }, { handle } as UntypedServiceImplementation);
}

const server = new Server();
switch (work) {
  case 'sign':
    serve(server, 'Issue', signing);
    break;
  case 'verify':
    serve(server, 'Verify', verifying);
    break;
  case 'record':
    serve(server, 'AppendLedger', (template) => recording(template, openRows(`${answerFile}.db`)));
    break;
  case 'record-postgres':
    serve(server, 'AppendLedger', (template) =>
      recording(template, openPostgresRows(JSON.parse(place) as DatabasePlace)),
    );
    break;
  default:
    throw new TypeError(`there is no work ${work}`);
}
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
});
process.once('SIGTERM', () => process.exit());

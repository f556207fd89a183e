// Issues, verifies, records and checks one task, with @grpc/grpc-js: node grpc-js.ts [host:port]

import { readFileSync } from 'node:fs';
import { credentials, loadPackageDefinition, type requestCallback, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType } from './types/authority.ts';
import type { AppendLedgerResponse__Output as Recorded } from './types/ect/v1/AppendLedgerResponse.ts';
import type { IssueResponse__Output as Issued } from './types/ect/v1/IssueResponse.ts';
import type { ValidateDAGResponse__Output as Graph } from './types/ect/v1/ValidateDAGResponse.ts';
import type { VerifyResponse__Output as Verdict } from './types/ect/v1/VerifyResponse.ts';
import type { ErrorInfo__Output as ErrorInfo } from './types/google/rpc/ErrorInfo.ts';
import type { Status__Output as Status } from './types/google/rpc/Status.ts';

const READER = 'urn:example:reader';
const PROTOS = new URL('../../../proto', import.meta.url).pathname;
const [address = '127.0.0.1:8080'] = process.argv.slice(2);

// The same options as the types were generated with.
const options = { includeDirs: [PROTOS], longs: String, enums: String, defaults: true };
const protos = loadSync(['ect/v1/authority.proto', 'google/rpc/error_details.proto'], options);
const { AuthorityService } = (loadPackageDefinition(protos) as unknown as ProtoGrpcType).ect.v1;
const authority = new AuthorityService(address, security());
// A retry with the same id returns the same token.
const requestId = crypto.randomUUID();
const task = { execAct: 'review_spec', aud: [READER], input: Buffer.from('the draft'), requestId };

const { token, claims } = await answerOf<Issued>((done) => authority.Issue(task, soon(), done));
console.log('issued', claims?.jti);

const request = { token, audience: READER, input: Buffer.from('the draft') };
const verdict = await answerOf<Verdict>((done) => authority.Verify(request, soon(), done));
console.log(verdict.valid ? 'valid' : verdict.finding?.reason);

const { entry } = await answerOf<Recorded>((done) => authority.AppendLedger({ token }, soon(), done));
console.log('recorded at', entry?.index);

const { dagReport } = await answerOf<Graph>((done) => authority.ValidateDAG({ token }, soon(), done));
console.log('graph', dagReport?.status);

try {
  await answerOf<Issued>((done) => authority.Issue({ ...task, iss: 'urn:example:another' }, soon(), done));
} catch (error) {
  const info = errorInfoOf(error as ServiceError);
  if (info === undefined) throw error; // The error does not come from the service, for example because the connection was refused.
  console.log('refused', info.reason, info.metadata['iss']);
}
authority.close();

/** A deadline for one call. */
function soon() {
  return { deadline: Date.now() + 10_000 };
}

function answerOf<Answer>(start: (done: requestCallback<Answer>) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    start((error, answer) => (answer === undefined ? reject(error) : resolve(answer)));
  });
}

/** Returns the ErrorInfo of an error. Programs use it; the message of the error is for people. */
function errorInfoOf({ metadata }: ServiceError): ErrorInfo | undefined {
  const [bytes] = metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return undefined;
  const { details } = decode<Status>('google.rpc.Status', bytes);
  const detail = details.find(({ type_url }) => type_url.endsWith('/google.rpc.ErrorInfo'));
  return detail && decode<ErrorInfo>('google.rpc.ErrorInfo', detail.value);
}

function decode<Message>(type: string, bytes: Buffer): Message {
  return (protos[type] as MessageTypeDefinition<object, object>).deserialize(bytes) as Message;
}

/** Cleartext, or TLS with the certificate of this workload where ECT_CA, ECT_CERT and ECT_KEY name PEM files. */
function security() {
  const { ECT_CA, ECT_CERT, ECT_KEY } = process.env;
  if (!ECT_CA || !ECT_CERT || !ECT_KEY) return credentials.createInsecure();
  return credentials.createSsl(readFileSync(ECT_CA), readFileSync(ECT_KEY), readFileSync(ECT_CERT));
}

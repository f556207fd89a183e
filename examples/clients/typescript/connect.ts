// Issues, verifies, records and checks one task, with Connect: node connect.ts [url]

import { readFileSync } from 'node:fs';
import { create, enumToJson } from '@bufbuild/protobuf';
import { ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { AuthorityService, IssueRequestSchema } from './gen/ect/v1/authority_pb.ts';
import { ErrorReasonSchema } from './gen/ect/v1/error_reason_pb.ts';
import { DagStatusSchema } from './gen/ect/v1/token_pb.ts';
import { ErrorInfoSchema } from './gen/google/rpc/error_details_pb.ts';

const READER = 'urn:example:reader';
const [url = 'http://127.0.0.1:8080'] = process.argv.slice(2);

const transport = createGrpcTransport({ baseUrl: url, nodeOptions: certificates(), defaultTimeoutMs: 10_000 });
const authority = createClient(AuthorityService, transport);
const inputBinding = { case: 'input', value: new TextEncoder().encode('the draft') } as const;
// A retry with the same id returns the same token.
const requestId = crypto.randomUUID();
const task = create(IssueRequestSchema, { execAct: 'review_spec', aud: [READER], inputBinding, requestId });

const { token, claims } = await authority.issue(task);
console.log('issued', claims?.jti);

const verdict = await authority.verify({ token, audience: READER, inputBinding });
console.log(verdict.finding === undefined ? 'valid' : enumToJson(ErrorReasonSchema, verdict.finding.reason));

const { entry } = await authority.appendLedger({ token });
console.log('recorded at', String(entry?.index)); // 64-bit integers are bigint.

const { dagReport } = await authority.validateDAG({ subject: { case: 'token', value: token } });
console.log('graph', dagReport && enumToJson(DagStatusSchema, dagReport.status));

try {
  await authority.issue({ ...task, iss: 'urn:example:another' });
} catch (error) {
  // Programs use the ErrorInfo; the message of the error is for people.
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  if (info === undefined) throw error; // The error does not come from the service, for example because the connection was refused.
  console.log('refused', info.reason, info.metadata['iss']);
}

/** For https: the certificate of this workload, where ECT_CA, ECT_CERT and ECT_KEY name PEM files. */
function certificates() {
  const { ECT_CA, ECT_CERT, ECT_KEY } = process.env;
  if (!ECT_CA || !ECT_CERT || !ECT_KEY) return {};
  return { ca: readFileSync(ECT_CA), cert: readFileSync(ECT_CERT), key: readFileSync(ECT_KEY) };
}

// Whatever text a request is made of: it is rejected by a reason, in an answer of moderate size, and is no bug of ours.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MAX_MESSAGE_BYTES } from '../../src/calls/message-limits.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { FULL } from '../support/full.ts';
import { errorInfoOf, frame, type RawAnswer, rawHttp1, rawHttp2 } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';

/** Every unary method of the authority, answering nothing. */
const procedures = Object.fromEntries(AuthorityService.methods.map(({ localName }) => [localName, () => ({})]));
const authority = {
  descriptor: AuthorityService,
  access: 'callers',
  maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
  procedures,
} as const;

let running: TestServer;
beforeAll(async () => {
  running = await startTestServer({ services: [authority] });
});
afterAll(async () => running[Symbol.asyncDispose]());
let seen = 0;
afterEach(() => {
  const lines = running.lines.slice(seen);
  seen = running.lines.length;
  expect(lines.filter(({ event, outcome }) => event === 'bug' || outcome === 'INTERNAL')).toEqual([]);
});

/** As they stand in JSON. */
const TEXTS: Readonly<Record<string, string>> = {
  'of 70,000 characters': 'x'.repeat(70_000),
  'of 20,000 characters that are not in Latin': '字'.repeat(20_000),
  'of 30,000 escapes': '\\u0007'.repeat(30_000),
  'of control characters': '\\u0000\\u001b[31m\\r\\ngrpc-status: 0\\u2028',
  'with a lone surrogate': '\\ud800',
  'with a lone surrogate after 600 characters': `${'字'.repeat(600)}\\udc00`,
  'with a pair where it is cut': `${'x'.repeat(511)}${'😀'.repeat(300)}`,
  'with quotes and per cent signs': '%0d%0a\\"%\\\\',
};

/** A request with the text in a place of its own. */
const BODIES: Readonly<Record<string, (text: string) => string>> = {
  'a member name': (text) => `{"${text}":1}`,
  'a name inside': (text) => `{"ttl":{"${text}":1}}`,
  'a string': (text) => `{"execAct":{"a":"${text}"}}`,
  'an enum': (text) => `{"level":"${text}"}`,
  'a duration': (text) => `{"ttl":"${text}"}`,
  base64: (text) => `{"input":"!${text}"}`,
  'something that is no JSON': (text) => `{"a":${text}`,
  'two members': (text) => `{"execAct":"","${text}":1,"${text}":2}`,
};

const ISSUE = '/ect.v1.AuthorityService/Issue';
const WATCH = '/grpc.health.v1.Health/Watch';
const REFLECT = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

const FORMS: Readonly<Record<string, { readonly type: string; readonly path: string }>> = {
  Connect: { type: 'application/json', path: ISSUE },
  'a Connect stream': { type: 'application/connect+json', path: WATCH },
  gRPC: { type: 'application/grpc+json', path: ISSUE },
  'a gRPC stream': { type: 'application/grpc+json', path: WATCH },
  'a gRPC stream both ways': { type: 'application/grpc+json', path: REFLECT },
  'gRPC-Web': { type: 'application/grpc-web+json', path: ISSUE },
  'a gRPC-Web stream': { type: 'application/grpc-web+json', path: WATCH },
};

const ALL = Object.keys(FORMS).flatMap((form, f) =>
  Object.keys(TEXTS).flatMap((text, t) =>
    Object.keys(BODIES).map((place, p) => ({ form, text, place, row: f + t + p })),
  ),
);
/** In `npm test` a quarter of them: every text in every place, and either in every form. */
const CASES = FULL ? ALL : ALL.filter(({ row }) => row % 4 === 0);

describe('H28: text in a request', () => {
  test.each(CASES)('$text as $place over $form is rejected by a reason', async ({ form, text, place }) => {
    const { type, path } = FORMS[form]!;
    const message = Buffer.from(BODIES[place]!(TEXTS[text]!));
    const request = { path, headers: { 'content-type': type }, body: form === 'Connect' ? message : frame(message) };
    const answers = [await rawHttp2(running.server.url, request)];
    if (!type.includes('grpc+')) answers.push(await rawHttp1(running.server.url, request));
    for (const answer of answers) {
      expect(reasonIn(answer, form)).toMatch(/^(REQUEST_MALFORMED|MESSAGE_TOO_LARGE)$/);
      expect(sizeOf(answer)).toBeLessThan(8192);
    }
  });
});

function sizeOf({ headers, trailers, body }: RawAnswer): number {
  return JSON.stringify([headers, trailers]).length + body.length;
}

/** The reason of an ErrorInfo, wherever the protocol puts it. */
function reasonIn({ headers, trailers, body }: RawAnswer, form: string): string | undefined {
  const details = headers['grpc-status-details-bin'] ?? trailers['grpc-status-details-bin'];
  if (details !== undefined) return errorInfoOf(details)?.reason;
  if (form.includes('gRPC-Web'))
    return errorInfoOf(/grpc-status-details-bin: (.*)\r\n/i.exec(body.toString())?.[1])?.reason;
  const json = JSON.parse(body.subarray(form === 'Connect' ? 0 : 5).toString()) as {
    error?: object;
    details?: object[];
  };
  const { details: list = [] } = (json.error ?? json) as { details?: { debug?: { reason?: string } }[] };
  return list.find(({ debug }) => debug?.reason !== undefined)?.debug?.reason;
}

// The honest caller, in a process of its own: 50 calls a second on one long-lived connection, and each second a fresh
// connection for a health check and one for the readiness page. It reports every call and judges nothing.

import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { credentials, status } from '@grpc/grpc-js';
import type { Issued } from '../../interop/answers.ts';
import { CallError, dial } from '../../interop/grpc-js-client.ts';
import type { HonestCall, HonestReport } from './honest-caller.ts';
import type { Target } from './target.ts';

const CALL_EVERY_MS = 20;
const CALL_DEADLINE_MS = 10_000;
const PROBE_DEADLINE_MS = 5_000;
const REPORT_EVERY_MS = 100;
const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';

const { host, port, tls } = JSON.parse(process.argv[2] ?? '') as Target;
const address = `${host}:${port}`;
const bytes = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem));
const security =
  tls === undefined
    ? credentials.createInsecure()
    : credentials.createSsl(Buffer.from(tls.ca), bytes(tls.key), bytes(tls.cert));

const client = dial(address, security);
const open = new Set<{ readonly at: number }>();
let finished: HonestCall[] = [];
const tokens: string[] = [];
let turn = 0;

/** The same text for the same failure, so that they can be counted. */
function describeFailure(error: unknown): string {
  if (error instanceof CallError) return `${status[error.code]} ${error.reason}`;
  return error instanceof Error ? error.message : String(error);
}

/** Makes one call and keeps how it went. */
async function measure(kind: HonestCall['kind'], call: () => Promise<unknown>): Promise<void> {
  const started = { at: Date.now() };
  open.add(started);
  const from = performance.now();
  const failure = await call().then(() => undefined, describeFailure);
  open.delete(started);
  finished.push({ kind, at: started.at, ms: performance.now() - from, ...(failure === undefined ? {} : { failure }) });
}

function callNext(): void {
  const options = { deadline: Date.now() + CALL_DEADLINE_MS };
  const token = tokens[0];
  const step = turn++ % 3;
  if (step === 1 && token !== undefined) {
    void measure('call', async () => {
      const verdict = await client.call<{ valid: boolean }>(
        `${AUTHORITY}/Verify`,
        { token, audience: AUDIENCE },
        options,
      );
      if (!verdict.valid) throw new Error('a good token is invalid');
    });
  } else if (step === 2 && token !== undefined) {
    tokens.shift();
    void measure('call', () => client.call(`${AUTHORITY}/AppendLedger`, { token }, options));
  } else {
    void measure('call', async () => {
      const order = { exec_act: 'review', aud: [AUDIENCE] };
      const issued = await client.call<Issued>(`${AUTHORITY}/Issue`, order, options);
      if (tokens.length < 10) tokens.push(issued.token);
    });
  }
}

/** grpc.health.v1.Health/Check over a connection of its own. */
async function checkHealth(): Promise<void> {
  const session = connectHttp2(`${tls === undefined ? 'http' : 'https'}://${address}`, { ...tls });
  try {
    session.on('error', () => undefined);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const timer = setTimeout(() => stream.destroy(new Error('the health check took too long')), PROBE_DEADLINE_MS);
    let status: unknown;
    for (const event of ['response', 'trailers']) {
      stream.on(event, (headers: Record<string, unknown>) => {
        status = headers['grpc-status'] ?? status;
      });
    }
    stream.resume().end(Buffer.alloc(5));
    await once(stream, 'close').finally(() => clearTimeout(timer));
    if (status !== '0') throw new Error(`the health check ended with ${String(status)}`);
  } finally {
    session.destroy();
  }
}

/** The readiness page over HTTP/1.1 and a connection of its own. */
async function askReady(): Promise<void> {
  const send = tls === undefined ? requestHttp : requestHttps;
  const sent = send({ host, port, path: '/readyz', agent: false, timeout: PROBE_DEADLINE_MS, ...tls });
  sent.on('timeout', () => sent.destroy(new Error('/readyz took too long')));
  const [answer] = await once(sent.end(), 'response');
  answer.resume();
  if (answer.statusCode !== 200) throw new Error(`/readyz answered ${answer.statusCode}`);
}

function report(): void {
  const oldestOpen = Math.min(...[...open].map(({ at }) => at));
  const message: HonestReport = { calls: finished, sentAt: Date.now(), oldestOpen };
  finished = [];
  process.send?.(message);
}

/** Begins as many calls as are due, so that a pause of this process does not thin out the load. */
function startCalls(): void {
  let due = performance.now();
  setInterval(() => {
    for (let burst = 0; due <= performance.now() && burst < 5; burst++, due += CALL_EVERY_MS) callNext();
    due = Math.max(due, performance.now() - CALL_EVERY_MS);
  }, CALL_EVERY_MS / 4);
}

process.on('disconnect', () => process.exit(0));
startCalls();
setInterval(() => {
  void measure('fresh', checkHealth);
  void measure('fresh', askReady);
}, 1000);
setInterval(report, REPORT_EVERY_MS);

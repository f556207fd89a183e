import { describe, expect, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import { createEvents, type FinishedCall } from '../../src/telemetry/events.ts';

function setUp() {
  const text: string[] = [];
  const events = createEvents({ level: 'debug', destination: { write: (line) => void text.push(line) } });
  return { events, text, lines: () => text.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const call: FinishedCall = {
  method: 'ect.v1.AuthorityService/Issue',
  protocol: 'grpc',
  caller: 'spiffe://example.com/a',
  proof: { method: 'mtls', strength: 'possession', by: 'example.com' },
  code: 'OK',
  reason: undefined,
  durationMs: 1.23456,
};

describe('events', () => {
  test('a call is one line and one count', async () => {
    const { events, lines } = setUp();
    events.callFinished(call);
    expect(lines()).toMatchObject([
      {
        level: 'info',
        event: 'call',
        method: call.method,
        proof: 'mtls',
        by: 'example.com',
        outcome: 'ok',
        durationMs: 1.235,
      },
    ]);
    const metrics = await events.metrics();
    expect(metrics).toContain(`ect_calls_total{method="${call.method}",code="OK",reason=""} 1`);
    expect(metrics).toContain(`ect_call_duration_seconds_count{method="${call.method}"} 1`);
  });

  test('a call is counted once, however often the count is read, as text or as data', async () => {
    const { events } = setUp();
    const count = async () => / ?ect_calls_total\{.*\} (\d+)/.exec(await events.metrics())?.[1];
    events.callFinished(call);
    events.callFinished(call);
    expect([await count(), await count()]).toEqual(['2', '2']);
    await events.snapshot();
    events.callFinished(call);
    expect(JSON.stringify(await events.snapshot())).toContain('"value":3');
    expect(await count()).toBe('3');
  });

  test('where there are several workers, every line says which one wrote it', () => {
    const text: string[] = [];
    const destination = { write: (line: string) => void text.push(line) };
    const events = createEvents({ level: 'debug', destination, worker: 2 });
    events.callFinished(call);
    events.started({ url: 'http://127.0.0.1:1' });
    for (const line of text) expect(JSON.parse(line)).toMatchObject({ worker: 2 });
    expect(text).toHaveLength(2);
    events.close();
  });

  test('what peers can cause at will is one line in a while, and every time is counted', async () => {
    const { events, lines } = setUp();
    for (let time = 0; time < 5; time++) events.limitMet('connections');
    events.limitMet('streams');
    const shortage = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' });
    for (let time = 0; time < 3; time++) events.acceptFailed(shortage);
    expect(lines()).toMatchObject([
      { level: 'warn', event: 'connections-full', leftOut: 0 },
      { level: 'error', event: 'accept-failed', leftOut: 0, cause: { message: 'accept EMFILE' } },
    ]);
    const metrics = await events.metrics();
    expect(metrics).toContain('ect_limit_met_total{limit="connections"} 5');
    expect(metrics).toContain('ect_connection_failures_total{stage="accept"} 3');
    events.close();
  });

  test('an outage of the database and keys that cannot be read are a line at each end', async () => {
    const { events, lines } = setUp();
    events.databaseLost(new Error('nobody answers'));
    expect(await events.metrics()).toContain('ect_database_down 1');
    events.keysFailed(new EctError(reject('LEDGER_UNAVAILABLE', 'away')), true);
    for (let second = 0; second < 10; second++) {
      events.keysFailed(new EctError(reject('LEDGER_UNAVAILABLE', 'away')), false);
    }
    expect(await events.metrics()).toContain('ect_key_failures_total 11');
    events.databaseFound('a.example.org:5432', 1234.56789);
    events.keysRecovered();
    events.databaseFound('b.example.org:5432', undefined);
    expect(await events.metrics()).toContain('ect_database_down 0');
    expect(lines()).toMatchObject([
      { level: 'error', event: 'database-lost', causes: ['nobody answers'] },
      { level: 'error', event: 'keys-failed', reason: 'LEDGER_UNAVAILABLE' },
      { level: 'info', event: 'database-found', server: 'a.example.org:5432', downMs: 1234.568 },
      { level: 'info', event: 'keys-recovered' },
      { level: 'info', event: 'database-found', server: 'b.example.org:5432' },
    ]);
  });

  test('descriptors that run out, and a signing key that is missing, are a line at each end and a gauge', async () => {
    const { events, lines } = setUp();
    events.descriptorsMeasured({ free: 900, limit: 1024, isLow: false }, false);
    events.descriptorsMeasured({ free: 2, limit: 1024, isLow: true }, true);
    events.descriptorsMeasured({ free: 1, limit: 1024, isLow: true }, false);
    expect(await events.metrics()).toContain('ect_descriptors_free 1');
    events.descriptorsMeasured({ free: 900, limit: 1024, isLow: false }, true);
    events.signingKeyMissing(true);
    expect(await events.metrics()).toContain('ect_signing_key_missing 1');
    events.signingKeyMissing(false);
    expect(await events.metrics()).toContain('ect_signing_key_missing 0');
    expect(lines().map(({ level, event }) => [level, event])).toEqual([
      ['error', 'descriptors-low'],
      ['info', 'descriptors-recovered'],
      ['error', 'signing-key-missing'],
      ['info', 'signing-key-opened'],
    ]);
    events.close();
  });

  test('a region of the key service that goes and comes back is two lines and a gauge', async () => {
    const { events, lines } = setUp();
    events.signerRegionChanged('eu-west-1', {
      reason: 'SIGNER_MISCONFIGURED',
      cause: new Error('the key is disabled'),
    });
    expect(await events.metrics()).toContain('ect_signer_region_down{region="eu-west-1"} 1');
    events.signerRegionChanged('eu-west-1', undefined);
    expect(await events.metrics()).toContain('ect_signer_region_down{region="eu-west-1"} 0');
    expect(lines()).toMatchObject([
      {
        level: 'error',
        event: 'signer-region-down',
        region: 'eu-west-1',
        reason: 'SIGNER_MISCONFIGURED',
        causes: ['the key is disabled'],
      },
      { level: 'info', event: 'signer-region-back', region: 'eu-west-1' },
    ]);
  });

  test('a failure about keys says its reason and each cause in one line, with a stack only for a bug of ours', () => {
    const { events, text, lines } = setUp();
    const socket = Object.assign(new TypeError('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const inner = new Error('GetPublicKey: ECONNREFUSED', { cause: socket });
    events.keysFailed(new EctError(reject('SIGNER_UNAVAILABLE', 'The key cannot be used.'), { cause: inner }));
    expect(lines()[0]).toMatchObject({
      event: 'keys-failed',
      reason: 'SIGNER_UNAVAILABLE',
      causes: ['The key cannot be used.', 'GetPublicKey: ECONNREFUSED', 'TypeError: connect ECONNREFUSED'],
    });
    expect(text[0]).not.toMatch(/"stack"|at .*events\.test/);
    events.keysFailed(new Error('outer', { cause: new TypeError('x is not a function') }));
    expect(lines()[1]).toMatchObject({
      causes: ['outer', 'TypeError: x is not a function'],
      cause: { cause: { stack: expect.arrayContaining([expect.stringMatching(/^at /)]) } },
    });
    const loop = new Error(`secret ${'eyJhbGciOiJFUzI1NiJ9'.repeat(3)}`);
    loop.cause = loop;
    events.keysFailed(loop);
    expect(lines()[2]).toMatchObject({ causes: ['secret [removed]'] });
  });

  test('a worker that ended is one line and one count: an error where no other follows', async () => {
    const { events, lines } = setUp();
    events.workerEnded({ worker: 2, how: 'SIGKILL', livedMs: 5, pauseMs: 100 });
    events.workerEnded({ worker: 2, how: 1, livedMs: 5, pauseMs: undefined });
    expect(lines()).toMatchObject([
      { level: 'warn', event: 'worker-ended', worker: 2, how: 'SIGKILL', restarted: true, pauseMs: 100 },
      { level: 'error', event: 'worker-ended', worker: 2, how: 1, restarted: false },
    ]);
    expect(await events.metrics()).toContain('ect_workers_ended_total 2');
  });

  test.each([
    ['OK', 'TOKEN_EXPIRED', 'refused'],
    ['INVALID_ARGUMENT', 'CLAIM_INVALID', 'refused'],
    ['UNAVAILABLE', 'LEDGER_UNAVAILABLE', 'error'],
    ['UNAVAILABLE', 'SERVICE_OVERLOADED', 'refused'],
    ['INTERNAL', 'INTERNAL', 'error'],
  ] as const)('%s with %s is %s', (code, reason, outcome) => {
    const { events, lines } = setUp();
    events.callFinished({ ...call, code, reason });
    expect(lines()[0]).toMatchObject({ code, reason, outcome });
  });

  test('S2: text that a caller chose stays one line of at most 256 bytes', () => {
    const { events, text, lines } = setUp();
    events.callFinished({
      ...call,
      caller: `a\n{"level":"info"}\r\u001b[31m\u2028\u202e\u0085${'ä'.repeat(1_000_000)}`,
    });
    expect(text).toHaveLength(1);
    for (const mark of ['\n', '\r', '\u001b', '\u2028', '\u202e', '\u0085']) {
      expect(text[0]?.trimEnd()).not.toContain(mark);
    }
    const caller = String(lines()[0]?.['caller']);
    expect(caller).toContain('a?{"level":"info"}??[31m???ä');
    expect(Buffer.byteLength(caller)).toBeLessThanOrEqual(256);
    expect(caller).not.toContain('\ufffd');
  });

  test('S1: the cause of a bug is kept without tokens, and without anything but its frames', () => {
    const { events, text, lines } = setUp();
    const token = `${'eyJhbGciOiJFUzI1NiJ9'.repeat(3)}.${'A'.repeat(86)}`;
    events.bug('m', new TypeError(`bad token ${token}\nin ${token}`, { cause: new Error(token) }));
    expect(text.join('')).not.toContain('eyJ');
    expect(lines()[0]).toMatchObject({
      level: 'error',
      event: 'bug',
      cause: { name: 'TypeError', cause: { name: 'Error' } },
    });
    expect(lines()[0]).toMatchObject({ cause: { stack: expect.arrayContaining([expect.stringMatching(/^at /)]) } });
  });

  test('a cause that points to itself, or is no error, is described too', () => {
    const { events, lines } = setUp();
    const loop = new Error('loop');
    loop.cause = loop;
    events.bug('m', loop);
    events.bug('m', 'text');
    expect(lines()[1]).toMatchObject({ cause: { message: 'text' } });
  });

  test('the ledger: size, entries a commit and its duration', async () => {
    const { events, lines } = setUp();
    events.ledgerOpened(5n);
    events.ledgerCommitted({ entries: 3, durationMs: 2, size: 8n });
    const metrics = await events.metrics();
    expect(metrics).toContain('ect_ledger_size 8');
    expect(metrics).toContain('ect_ledger_commit_entries_sum 3');
    expect(metrics).toContain('ect_ledger_commit_seconds_sum 0.002');
    expect(lines()).toMatchObject([
      { event: 'ledger-opened', size: '5' },
      { event: 'ledger-commit', size: '8' },
    ]);
  });

  test('R5: an equivocation is a warning with the names of the task, made safe, and is counted', async () => {
    const { events, lines } = setUp();
    events.equivocated({ iss: 'urn:a\n{"level":"info"}', wid: '', jti: 'j' }, 'guard');
    events.equivocated({ iss: 'urn:a', wid: 'w', jti: 'j' }, 'ledger');
    expect(lines()).toMatchObject([
      { level: 'warn', event: 'equivocation', seenBy: 'guard', iss: 'urn:a?{"level":"info"}', jti: 'j' },
      { level: 'warn', event: 'equivocation', seenBy: 'ledger', wid: 'w' },
    ]);
    const metrics = await events.metrics();
    for (const seenBy of ['guard', 'ledger'])
      expect(metrics).toContain(`ect_equivocations_total{seen_by="${seenBy}"} 1`);
  });

  test('a level that is too low, and what became of appends in the background, are counted', async () => {
    const { events, lines } = setUp();
    events.levelRejected('L3');
    events.backgroundAppend({ iss: 'urn:a', wid: '', jti: 'j' }, undefined);
    events.backgroundAppend({ iss: 'urn:a', wid: '', jti: 'k' }, 'LEDGER_UNAVAILABLE');
    expect(lines()).toMatchObject([
      { level: 'debug', event: 'level-refused', minimum: 'L3' },
      { level: 'debug', event: 'background-append', outcome: 'landed' },
      { level: 'error', event: 'background-append', outcome: 'failed', reason: 'LEDGER_UNAVAILABLE', jti: 'k' },
    ]);
    const metrics = await events.metrics();
    expect(metrics).toContain('ect_level_refusals_total{minimum="L3"} 1');
    expect(metrics).toContain('ect_background_appends_total{outcome="landed"} 1');
    expect(metrics).toContain('ect_background_appends_total{outcome="failed"} 1');
  });

  test('the process and its event loop are measured, and two services do not share their counts', async () => {
    const [one, other] = [setUp().events, setUp().events];
    one.callFinished(call);
    expect(await one.metrics()).toMatch(/ect_event_loop_delay_seconds\{quantile="0.99"\} [\d.e-]+\n/);
    expect(await one.metrics()).toContain('process_resident_memory_bytes');
    expect(await other.metrics()).not.toContain('ect_calls_total{');
    one.close();
    other.close();
  });

  test('the life of the service', () => {
    const { events, lines } = setUp();
    events.started({ url: 'http://127.0.0.1:1' });
    events.anonymousOpen('0.0.0.0:8080');
    events.settingsDoubtful('ECT_CERT is for the client');
    events.draining(10_000);
    events.connectionFailed('tls', new Error('wrong version number'));
    events.dependencyFailed('LEDGER_UNAVAILABLE', new Error('disk I/O error'));
    events.stopped(0);
    expect(lines().map(({ level, event }) => [level, event])).toEqual([
      ['info', 'started'],
      ['warn', 'anonymous-open'],
      ['warn', 'settings-doubtful'],
      ['info', 'draining'],
      ['debug', 'connection-failed'],
      ['error', 'dependency-failed'],
      ['info', 'stopped'],
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { examineConfig, readConfig } from '../../src/config/index.ts';
import { readEndpoint } from '../../src/config/workload-api.ts';

const SOCKET = 'unix:///run/agent.sock';

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  return examineConfig(env).problems;
}

describe('the address of a Workload API', () => {
  test.each<[string, object]>([
    [SOCKET, { kind: 'unix', path: '/run/agent.sock' }],
    ['unix:/run/agent.sock', { kind: 'unix', path: '/run/agent.sock' }],
    ['tcp://127.0.0.1:8081', { kind: 'tcp', host: '127.0.0.1', port: 8081 }],
    ['tcp://[::1]:8081', { kind: 'tcp', host: '::1', port: 8081 }],
  ])('%s', (text, endpoint) => {
    expect(readEndpoint(text)).toEqual(endpoint);
  });

  test.each([
    'unix://host/run/agent.sock',
    'unix:agent.sock',
    'unix:////run/agent.sock',
    'unix:///run/agent.sock?x',
    'unix:///run/%41',
    '/run/agent.sock',
    'tcp://localhost:8081',
    'tcp://10.0.0.1:8081',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:8081/path',
    'tcp://127.0.0.1:0',
    'tcp://user@127.0.0.1:8081',
    'http://127.0.0.1:8081',
  ])('%s is rejected', (text) => {
    expect(readEndpoint(text)).toBeUndefined();
    expect(problemsOf({ ECT_WORKLOAD_API: text })).toEqual([expect.stringContaining('ECT_WORKLOAD_API must be')]);
  });

  test('the variable of SPIFFE is used only with ECT_WORKLOAD_API=env', () => {
    expect(readConfig({ SPIFFE_ENDPOINT_SOCKET: SOCKET }).workloadApi).toBeUndefined();
    const config = readConfig({ ECT_WORKLOAD_API: 'env', SPIFFE_ENDPOINT_SOCKET: SOCKET });
    expect(config.workloadApi).toMatchObject({ address: SOCKET, svid: undefined });
    expect(problemsOf({ ECT_WORKLOAD_API: 'env' })).toEqual(['ECT_WORKLOAD_API=env needs SPIFFE_ENDPOINT_SOCKET.']);
  });

  test('an identity is chosen by SPIFFE ID or hint', () => {
    const svidOf = (text: string) =>
      readConfig({ ECT_WORKLOAD_API: SOCKET, ECT_WORKLOAD_API_SVID: text }).workloadApi?.svid;
    expect(svidOf('spiffe://example.org/ect')).toEqual({ spiffeId: 'spiffe://example.org/ect' });
    expect(svidOf('internal')).toEqual({ hint: 'internal' });
    expect(problemsOf({ ECT_WORKLOAD_API: SOCKET, ECT_WORKLOAD_API_SVID: 'spiffe://example.org//a' })).toHaveLength(1);
    expect(problemsOf({ ECT_WORKLOAD_API_SVID: 'internal' })).toEqual([
      'ECT_WORKLOAD_API_SVID needs ECT_WORKLOAD_API: set that, or remove ECT_WORKLOAD_API_SVID.',
    ]);
  });

  test('S10 it proves callers, so that the service may leave loopback', () => {
    const config = readConfig({ ECT_WORKLOAD_API: SOCKET, ECT_LISTEN: '0.0.0.0:8443' });
    expect(config.callers.areProven).toBe(true);
    expect(config.tls).toBeUndefined();
    expect(problemsOf({ ECT_WORKLOAD_API: SOCKET, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_WORKLOAD_API: remove one of them.',
    ]);
  });
});

describe('a Unix socket', () => {
  test('S10 is on this machine, and is read as a path with rights', () => {
    const { unix, callers } = readConfig({ ECT_LISTEN: 'unix:/run/ect/ect.sock', ECT_UNIX_MODE: '660' });
    expect(unix).toEqual({ path: '/run/ect/ect.sock', mode: 0o660, caller: undefined });
    expect(callers.areProven).toBe(false);
  });

  test.each(['unix:ect.sock', 'unix://host/ect.sock', 'unix:/run/ect/', `unix:/${'a'.repeat(120)}`])(
    '%s is rejected',
    (text) => {
      expect(problemsOf({ ECT_LISTEN: text })).toEqual([expect.stringContaining('ECT_LISTEN must be')]);
    },
  );

  test('its settings need one', () => {
    expect(problemsOf({ ECT_UNIX_CALLER: 'spiffe://example.org/a' })).toEqual([
      'ECT_UNIX_CALLER needs ECT_LISTEN=unix:/path: set that, or remove ECT_UNIX_CALLER.',
    ]);
  });
});

// S11: what Kubernetes puts into the environment of every container is no setting; what looks like it and is not is rejected.

import { describe, expect, test } from 'vitest';
import { type Config, ConfigError, readConfig } from '../../src/config/index.ts';
import { serviceLinks } from '../../src/config/service-links.ts';

/** The variables of one Service, as the kubelet makes them. */
function linksOf(
  name: string,
  host: string,
  ports: readonly (readonly [name: string, port: number, protocol: string])[],
) {
  const prefix = name.toUpperCase().replaceAll('-', '_');
  const address = host.includes(':') ? `[${host}]` : host;
  const [[, first, protocol]] = ports as [[string, number, string]];
  const env: Record<string, string> = {
    [`${prefix}_SERVICE_HOST`]: host,
    [`${prefix}_SERVICE_PORT`]: String(first),
    [`${prefix}_PORT`]: `${protocol}://${address}:${first}`,
  };
  for (const [portName, port, kind] of ports) {
    const link = `${prefix}_PORT_${port}_${kind.toUpperCase()}`;
    if (portName !== '') env[`${prefix}_SERVICE_PORT_${portName.toUpperCase().replaceAll('-', '_')}`] = String(port);
    env[link] = `${kind}://${address}:${port}`;
    env[`${link}_PROTO`] = kind;
    env[`${link}_PORT`] = String(port);
    env[`${link}_ADDR`] = host;
  }
  return env;
}

const AUTHORITY = linksOf('ect-authority', '10.96.7.1', [['grpc', 8080, 'tcp']]);

function rejected(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problem.split(' ')[0] ?? '').sort();
  }
}

describe('service links', () => {
  test.each([
    ['one port with a name', AUTHORITY],
    ['one port without a name', linksOf('ect-authority', '10.96.7.1', [['', 8080, 'tcp']])],
    [
      'several ports',
      linksOf('ect-authority', '10.96.7.1', [
        ['grpc', 8443, 'tcp'],
        ['http-metrics', 9090, 'tcp'],
        ['quic', 8443, 'udp'],
      ]),
    ],
    ['IPv6', linksOf('ect-authority', 'fd00::1', [['grpc', 8080, 'tcp']])],
    ['a Service called ect', linksOf('ect', '10.96.7.1', [['grpc', 8080, 'tcp']])],
    ['a Service whose name begins like a setting', linksOf('ect-kms-endpoint', '10.96.7.1', [['', 443, 'tcp']])],
    ['two Services', { ...AUTHORITY, ...linksOf('ect-authority-canary', '10.96.7.2', [['grpc', 8080, 'tcp']]) }],
  ])('S11 are ignored: %s', (_what, env) => {
    expect(Object.keys(env).length).toBeGreaterThanOrEqual(7);
    expect(new Set(serviceLinks(env))).toEqual(new Set(Object.keys(env)));
    expect(readConfig(env)).toEqual<Config>(readConfig({}));
  });

  test.each<[what: string, env: Record<string, string>, refused: readonly string[]]>([
    ['a misspelled setting beside them', { ...AUTHORITY, ECT_LISTNE: 'x' }, ['ECT_LISTNE']],
    ['a misspelled setting under their prefix', { ...AUTHORITY, ECT_AUTHORITY_PORTS: '1' }, ['ECT_AUTHORITY_PORTS']],
    [
      'the name of one with the value of none',
      { ...AUTHORITY, ECT_AUTHORITY_PORT_8080_TCP: '8080' },
      ['ECT_AUTHORITY_PORT_8080_TCP'],
    ],
    [
      'another port than its name says',
      { ...AUTHORITY, ECT_AUTHORITY_PORT_8080_TCP_PORT: '8081' },
      ['ECT_AUTHORITY_PORT_8080_TCP_PORT'],
    ],
    [
      'another protocol than its name says',
      { ...AUTHORITY, ECT_AUTHORITY_PORT_8080_TCP_PROTO: 'udp' },
      ['ECT_AUTHORITY_PORT_8080_TCP_PROTO'],
    ],
    [
      'another address than the Service has',
      { ...AUTHORITY, ECT_AUTHORITY_PORT_8080_TCP_ADDR: '10.0.0.9' },
      ['ECT_AUTHORITY_PORT_8080_TCP_ADDR'],
    ],
    [
      'a number that is no port',
      { ...AUTHORITY, ECT_AUTHORITY_SERVICE_PORT_GRPC: '80800' },
      ['ECT_AUTHORITY_SERVICE_PORT_GRPC'],
    ],
    ['one alone', { ECT_AUTHORITY_PORT: 'tcp://10.96.7.1:8080' }, ['ECT_AUTHORITY_PORT']],
    [
      'a port that somebody meant as a setting',
      { ECT_PORT: '8080', ECT_SERVICE_PORT: '8080' },
      ['ECT_PORT', 'ECT_SERVICE_PORT'],
    ],
    [
      'a host that is a name',
      { ...AUTHORITY, ECT_AUTHORITY_SERVICE_HOST: 'evil.example' },
      Object.keys(AUTHORITY).sort(),
    ],
    [
      'links that contradict each other',
      { ...AUTHORITY, ECT_AUTHORITY_PORT: 'tcp://10.96.7.1:9' },
      Object.keys(AUTHORITY).sort(),
    ],
    [
      'the host within a longer text',
      { ...AUTHORITY, ECT_AUTHORITY_PORT: 'tcp://x://10.96.7.1:8080' },
      Object.keys(AUTHORITY).sort(),
    ],
  ])('S10 S11 are not: %s', (_what, env, names) => {
    expect(rejected(env)).toEqual(names);
  });

  test('S11 do not hide a setting: a link never takes the name of one', () => {
    const env = { ...linksOf('ect', '10.96.7.1', [['', 8080, 'tcp']]), ECT_LISTEN: 'nowhere' };
    expect(rejected(env)).toEqual(['ECT_LISTEN']);
  });
});

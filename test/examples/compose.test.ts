// examples/compose, against the schema of Compose and what the service itself reads.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { COMPOSE_FOLDER, compose, envoy, type ServiceDefinition } from './compose-file.ts';

const READ_FROM_HOST = /^\.\//;
const entries = Object.entries(compose.services);
const authority = compose.services['authority']!;
const config = readConfig({ ECT_DATA_DIR: '/data', ...authority.environment });

const sourceOf = (mount: string) => mount.split(':')[0]!;
const mountsOf = ({ volumes = [] }: ServiceDefinition) =>
  volumes.map((mount) => ({ source: sourceOf(mount), target: mount.split(':')[1]! }));

describe('examples/compose', () => {
  test('S10 the service takes the settings as they are: replicas over PostgreSQL, with TLS and known callers', () => {
    expect(authority.deploy?.replicas).toBe(3);
    expect(config).toMatchObject({ store: 'postgres', allowAnonymous: false });
    expect(config.tls?.clientCaFile).toBeDefined();
    expect(config.postgres).toMatchObject({
      host: 'postgres',
      isEncrypted: true,
      password: { file: '/secrets/service-password' },
    });
    // All connections come from the proxy.
    expect(config.limits.connectionsPerAddress).toBe(config.limits.connections);
  });

  test('S10 every file that a setting names is one that its service is given', () => {
    const script = readFileSync(join(COMPOSE_FOLDER, 'distribute-secrets.sh'), 'utf8');
    for (const [name, variable] of [
      ['authority', 'authority'],
      ['database-init', 'owner'],
      ['postgres', 'postgres'],
    ] as const) {
      const { environment = {}, command = [] } = compose.services[name]!;
      const texts = [...Object.values(environment), ...[command].flat()].join('\n');
      const files = [...texts.matchAll(/\/secrets\/([\w.-]+)/g)].map(([, file]) => file!);
      const line = script
        .split('\n')
        .find((candidate) => candidate.startsWith('give') && candidate.includes(`"$${variable}"`));
      expect(files.length, name).toBeGreaterThan(1);
      for (const file of files) expect(line?.split(' '), file).toContain(file);
    }
  });

  test('S11 no secret is in the environment, and only PostgreSQL and its set-up get the password of its owner', () => {
    for (const [name, { environment = {} }] of entries) {
      for (const [key, value] of Object.entries(environment)) {
        expect(key, name).not.toMatch(/(?:PASSWORD|PASSPHRASE)$/);
        expect(String(value), key).not.toMatch(/\/\/[^/@]*:[^/@]*@|PRIVATE/);
      }
    }
    const holders = (volume: string) =>
      entries.filter(([, service]) => mountsOf(service).some(({ source }) => source === volume)).map(([name]) => name);
    expect(holders('owner-secrets')).toEqual(['secrets', 'database-init']);
    expect(holders('postgres-secrets')).toEqual(['secrets', 'postgres']);
    expect(holders('authority-secrets')).toEqual(['secrets', 'authority']);
  });

  test('S11 what stands in the way of callers is read-only and without capabilities; only the proxy has a port, on loopback', () => {
    for (const name of ['authority', 'proxy', 'redis']) {
      expect(compose.services[name], name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
    expect(entries.filter(([, { ports = [] }]) => ports.length > 0)).toEqual([
      ['proxy', expect.objectContaining({ ports: [`127.0.0.1:8443:${config.listen.port}`] })],
    ]);
    expect(compose.networks?.['database']?.internal).toBe(true);
    expect(compose.services['postgres']?.networks).toEqual(['database']);
  });

  test('names only services, volumes, networks and files that are there; Redis only on demand', () => {
    for (const [name, service] of entries) {
      for (const needed of Object.keys(
        Array.isArray(service.depends_on)
          ? Object.fromEntries(service.depends_on.map((key) => [key, 0]))
          : (service.depends_on ?? {}),
      )) {
        expect(Object.keys(compose.services), name).toContain(needed);
      }
      for (const network of service.networks ?? [])
        expect(Object.keys(compose.networks ?? {}), name).toContain(network);
      for (const { source } of mountsOf(service)) {
        if (source.startsWith('./secrets')) continue;
        if (READ_FROM_HOST.test(source)) expect(readFileSync(join(COMPOSE_FOLDER, source), 'utf8')).not.toBe('');
        else expect(Object.keys(compose.volumes ?? {}), name).toContain(source);
      }
      expect(service.profiles, name).toEqual(name === 'redis' ? ['redis'] : undefined);
    }
    for (const { depends_on } of Object.values(compose.services))
      expect(JSON.stringify(depends_on ?? {})).not.toContain('redis');
  });

  test('the proxy leads to the replicas, by name and port', () => {
    const [cluster] = envoy.static_resources.clusters;
    const [group] = cluster!.load_assignment.endpoints;
    const { socket_address } = group!.lb_endpoints[0]!.endpoint.address;
    expect(socket_address).toEqual({ address: 'authority', port_value: config.listen.port });
    expect(cluster!.health_checks[0]?.http_health_check.path).toBe('/readyz');
  });
});

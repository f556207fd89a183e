// The manifests of examples/kubernetes, against what the service itself reads and serves, so that the two cannot drift.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { examineConfig, readConfig } from '../../src/config/index.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'examples/kubernetes');
/** The grace of the service for calls, and for the rest of a stop (docs/operating.md). */
const STOP_SECONDS = 14;

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly envFrom?: unknown;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
    readonly subPath?: string;
  }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly [probe: string]: unknown;
}

// As Kubernetes reads YAML: 0440 is octal.
const read = (name: string) =>
  parseAllDocuments(readFileSync(join(FOLDER, name), 'utf8'), { version: '1.1' }).map((document) => document.toJS());
const { resources, namespace } = parse(readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8')) as {
  readonly resources: readonly string[];
  readonly namespace: string;
};
const manifests = resources.flatMap(read);
const one = (kind: string, name?: string) => {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && (name ?? manifest.metadata.name) === manifest.metadata.name,
  );
  expect(found, `${kind} ${name}`).toHaveLength(1);
  return found[0]!;
};
const deployment = one('Deployment').spec;
const pod = deployment.template.spec;
const [service] = pod.containers as readonly [Container];
const settings = Object.fromEntries(service.env.map(({ name, value }) => [name, value]));
const config = readConfig(settings);
const labels = deployment.template.metadata.labels as Readonly<Record<string, string>>;

test('S11 the kustomization names every manifest, and all are in its namespace', () => {
  const files = globSync('*.yaml', { cwd: FOLDER }).filter((name) => name !== 'kustomization.yaml');
  expect([...resources].sort()).toEqual(files.sort());
  for (const { kind, metadata } of manifests) {
    expect(kind === 'Namespace' ? metadata.name : metadata.namespace, metadata.name).toBe(namespace);
  }
});

describe.each(['Deployment', 'Job'])('the pod of the %s', (kind) => {
  const { spec } = one(kind).spec.template as { readonly spec: typeof pod };
  const [container] = spec.containers as readonly [Container];

  test('S11 runs as the user of the image, not as root, over a file system that is read-only', () => {
    const [, user, group] = /^USER (\d+):(\d+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
    expect(spec.securityContext).toEqual({
      runAsUser: Number(user),
      runAsGroup: Number(group),
      runAsNonRoot: true,
      fsGroup: Number(group),
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(spec.containers).toHaveLength(1);
    expect(spec).toMatchObject({ automountServiceAccountToken: false, serviceAccountName: 'ect-authority' });
    for (const use of ['requests', 'limits']) expect(container.resources[use]?.['memory'], use).toMatch(/^\d+Mi$/);
  });

  test('S11 has its secrets in files that only it reads, and none in its environment', () => {
    expect(container.envFrom).toBeUndefined();
    for (const { name, value, valueFrom } of container.env) {
      expect(valueFrom, name).toBeUndefined();
      expect(name).not.toMatch(/PASSPHRASE$|PASSWORD$/);
      expect(value, name).not.toMatch(/\/\/[^/@]*:[^/@]*@|PRIVATE/);
    }
    for (const { name, secret } of spec.volumes) {
      if (secret === undefined) continue;
      expect(secret.defaultMode, name).toBe(0o440);
    }
    for (const { name, readOnly, subPath } of container.volumeMounts) {
      expect(readOnly ?? false, name).toBe(name !== 'data');
      expect(subPath, name).toBeUndefined();
      expect(spec.volumes.map((volume: { name: string }) => volume.name)).toContain(name);
    }
    expect(spec.volumes).toHaveLength(container.volumeMounts.length);
  });

  test('S10 names no file that is not mounted', () => {
    const mounts = container.volumeMounts.map(({ mountPath }) => `${mountPath}/`);
    const files = container.env.filter(({ name }) => /_(?:FILE|CERT|KEY|CA)$/.test(name));
    expect(files.length).toBeGreaterThan(1);
    for (const { name, value = '' } of files)
      expect(
        mounts.filter((path) => value.startsWith(path)),
        name,
      ).toHaveLength(1);
  });
});

test('S10 the service takes the settings as they are: replicas over PostgreSQL, with TLS and known callers', () => {
  expect(config).toMatchObject({ store: 'postgres', allowAnonymous: false, workers: 1 });
  expect(config.tls?.clientCaFile).toBeDefined();
  expect(config.postgres).toMatchObject({
    isEncrypted: true,
    user: 'ect_service',
    password: { file: '/database/password' },
  });
  expect(service.ports).toEqual([{ name: 'grpc', containerPort: config.listen.port }]);
  expect(config.dataDir).toBe('/data');
});

test('S10 the job makes the tables in the database of the service, as another role, and gives the role of the service its rights', () => {
  const [container] = one('Job').spec.template.spec.containers as readonly [Container];
  const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  const { config: owner, problems } = examineConfig({ ...env, ECT_STORE: 'postgres' });
  expect(problems.filter((problem) => problem.includes('ECT_POSTGRES_'))).toEqual([]);
  const { host, port, database, user } = config.postgres!;
  expect(owner.postgres).toMatchObject({ host, port, database, isEncrypted: true });
  expect(owner.postgres?.user).not.toBe(user);
  expect(container.args).toEqual(['db', 'init', '--role', user]);
  expect(container.image).toBe(service.image);
});

test('S11 probes ask for pages that the service serves, and a stop has the time that it needs', () => {
  const pages = readFileSync(join(ROOT, 'src/transport/pages.ts'), 'utf8');
  const asked = { startupProbe: '/healthz', livenessProbe: '/healthz', readinessProbe: '/readyz' };
  for (const [probe, path] of Object.entries(asked)) {
    expect(service[probe], probe).toMatchObject({ httpGet: { path, port: 'grpc', scheme: 'HTTPS' } });
    expect(pages).toContain(`path: '${path}'`);
  }
  const { preStop } = service['lifecycle'] as { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  expect(preStop.sleep.seconds).toBeGreaterThan(0);
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(preStop.sleep.seconds + STOP_SECONDS);
});

test('S11 a drain and an update leave enough replicas, spread over zones and nodes', () => {
  const { minAvailable, selector } = one('PodDisruptionBudget').spec;
  expect(deployment.replicas).toBe(3);
  expect(minAvailable).toBe(2);
  expect(deployment.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  const spread = pod.topologySpreadConstraints as readonly { topologyKey: string; labelSelector: object }[];
  expect(spread.map(({ topologyKey }) => topologyKey)).toEqual([
    'topology.kubernetes.io/zone',
    'kubernetes.io/hostname',
  ]);
  const selectors = [selector, deployment.selector, ...spread.map(({ labelSelector }) => labelSelector)];
  for (const chosen of selectors) expect(chosen).toEqual({ matchLabels: labels });
  expect(one('Service').spec).toMatchObject({
    selector: labels,
    ports: [{ targetPort: 'grpc', port: config.listen.port }],
  });
});

test('S11 the network lets callers in, and the pods out to names and to their database only', () => {
  for (const [name, kind] of [
    ['ect-authority', 'Deployment'],
    ['ect-database-init', 'Job'],
  ] as const) {
    const { podSelector, policyTypes, ingress = [], egress } = one('NetworkPolicy', name).spec;
    expect(podSelector.matchLabels).toEqual(one(kind).spec.template.metadata.labels);
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    const inwards = ingress.flatMap(({ ports }: { ports: readonly { port: unknown }[] }) =>
      ports.map(({ port }) => port),
    );
    expect(inwards).toEqual(kind === 'Deployment' ? ['grpc'] : []);
    for (const { from } of ingress) expect(from.length).toBeGreaterThan(0);
    const { host, port } = config.postgres!;
    expect(egress).toHaveLength(2);
    expect(egress[1]).toEqual({
      to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': host.split('.')[1] } } }],
      ports: [{ port, protocol: 'TCP' }],
    });
    expect(egress[0].ports.map((entry: { port: number }) => entry.port)).toEqual([53, 53]);
  }
});

test('the page names every secret and config map that the manifests need, with its keys', () => {
  const page = readFileSync(join(FOLDER, 'README.md'), 'utf8');
  for (const kind of ['Deployment', 'Job']) {
    const { volumes, containers } = one(kind).spec.template.spec;
    for (const { name, secret, configMap } of volumes) {
      const source = secret?.secretName ?? configMap?.name;
      if (source === undefined) continue;
      const row = page.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${source}\``));
      const { mountPath } = containers[0].volumeMounts.find((mount: { name: string }) => mount.name === name);
      const used = containers[0].env.filter(({ value }: { value: string }) => value.startsWith(`${mountPath}/`));
      expect(used.length, name).toBeGreaterThan(0);
      for (const { value } of used) expect(row, source).toContain(`\`${value.slice(mountPath.length + 1)}\``);
    }
  }
});

// The metrics, and what their labels say: docs/operating.md names each of them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WriteUse } from '../../src/authority/write-limits.ts';
import type { CertificateTerm } from '../../src/config-files/certificate-term.ts';
import type { KeyState } from '../../src/key-manager/index.ts';
import { LIMIT_NAMES } from '../../src/limits/resources.ts';
import type { StorageStage } from '../../src/stores/sqlite/storage-watch.ts';
import { CONNECTION_FAILURE_STAGES } from '../../src/telemetry/events/connections.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { StreamName } from '../../src/workload-api/kept-stream.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');

/** The names of a union, each once; a new one does not compile. */
const namesOf = <Name extends string>(names: Record<Name, true>): readonly string[] => Object.keys(names);

/** Labels whose values are few and chosen by the code. */
const VALUES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  ect_connection_failures_total: { stage: CONNECTION_FAILURE_STAGES },
  ect_limit_in_use: { limit: LIMIT_NAMES },
  ect_limit_met_total: { limit: LIMIT_NAMES },
  ect_key_changes_total: { state: namesOf<KeyState>({ announced: true, active: true, retired: true, revoked: true }) },
  ect_reloads_total: { files: ['tls', 'trust', 'policy'], outcome: ['replaced', 'refused'] },
  ect_reload_refused: { files: ['tls', 'trust', 'policy'] },
  ect_certificate_expiry_timestamp_seconds: {
    certificate: namesOf<CertificateTerm['certificate']>({ server: true, 'client-ca': true }),
  },
  ect_workload_api_up: { stream: namesOf<StreamName>({ x509: true, jwt: true }) },
  ect_workload_api_updates_total: { outcome: ['replaced', 'refused', 'lost'] },
  ect_foreign_key_fetches_total: { outcome: ['taken', 'failed'] },
  ect_equivocations_total: { seen_by: ['guard', 'ledger'] },
  ect_background_appends_total: { outcome: ['landed', 'failed'] },
  ect_caller_write_bytes_total: { use: uses(), direction: ['taken', 'given_back'] },
  ect_caller_write_refusals_total: { use: uses() },
  ect_storage_failures_total: {
    stage: [...namesOf<StorageStage>({ statement: true, sync: true, move: true }), 'scrub'],
  },
};

/** Labels whose values are names of other things: methods, reasons of errors, files, issuers, regions. */
const NAMES = ['method', 'code', 'reason', 'version', 'node', 'quantile', 'file', 'issuer', 'region', 'minimum'];

function uses() {
  return namesOf<WriteUse>({ ledger: true, replay: true, idempotency: true, proof: true });
}

/** The labels of each metric of the service. */
function labelsOfAll(): ReadonlyMap<string, readonly string[]> {
  const metrics = createMetrics();
  metrics.close();
  const all = metrics.registry.getMetricsAsArray() as unknown as readonly { name: string; labelNames: string[] }[];
  return new Map(all.filter(({ name }) => name.startsWith('ect_')).map(({ name, labelNames }) => [name, labelNames]));
}

/** What the page says about a label: the values that its row names in front of their meanings. */
function documentedValues(metric: string, label: string): readonly string[] {
  const row = page.split('\n').find((line) => {
    const [, names = '', labels = ''] = line.split('|');
    return names.includes(`\`${metric}\``) && labels.trim() === `\`${label}\``;
  });
  return [...(row?.split('|')[3] ?? '').matchAll(/`([^`]+)`/g)].map(([, value = '']) => value);
}

describe.each([...labelsOfAll()])('%s', (metric, labels) => {
  test('is in docs/operating.md', () => {
    expect(page).toMatch(new RegExp(`\`${metric}[\`{]`));
  });

  test.each(labels)('each value of the label %s is in docs/operating.md', (label) => {
    const values = VALUES[metric]?.[label];
    if (values === undefined) expect(NAMES).toContain(label);
    else expect(documentedValues(metric, label).toSorted()).toEqual(values.toSorted());
  });
});

test('the help of ect_connection_failures_total names each stage', async () => {
  const metrics = createMetrics();
  metrics.close();
  const help = /# HELP ect_connection_failures_total (.*)/.exec(await metrics.registry.metrics())?.[1];
  for (const stage of CONNECTION_FAILURE_STAGES) expect(help).toMatch(new RegExp(`\\b${stage}\\b`));
});

// Every figure, in the order of the table.

import { measureAppend } from './append.ts';
import { measureBatch } from './batch.ts';
import { measureGo } from './go.ts';
import { measureGraph } from './graph.ts';
import { measureIdentity } from './identity.ts';
import { measureIssue } from './issue.ts';
import { measureKms } from './kms.ts';
import { measureMemory } from './memory.ts';
import { measureOverload } from './overload.ts';
import type { Measure } from './plan.ts';
import { measureProtocols } from './protocols.ts';
import { measureReplicas } from './replicas.ts';
import { measureVerify } from './verify.ts';
import { measureWorkers } from './workers.ts';

export const FIGURES: Readonly<Record<string, Measure>> = {
  issue: measureIssue,
  go: measureGo,
  identity: measureIdentity,
  protocols: measureProtocols,
  kms: measureKms,
  verify: measureVerify,
  batch: measureBatch,
  append: measureAppend,
  graph: measureGraph,
  workers: measureWorkers,
  replicas: measureReplicas,
  memory: measureMemory,
  overload: measureOverload,
};

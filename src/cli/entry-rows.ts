// Entries of the ledger as lines for people.

import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  CallerProof,
  type Entry,
  type KeyEntry,
  type LossEntry,
  ProofStrength,
  type Provenance,
  type TaintEntry,
  type TaskEntry,
} from '../gen/ect/v1/ledger_pb.ts';
import { keyStateName } from './key-state.ts';
import { utc } from './output.ts';

type Row = readonly [name: string, value: string];

/** What an entry is: `task`, or of a signing key what became of it: `key announced`, `key revoked`. */
export function kindName({ body }: Entry): string {
  switch (body.case) {
    case 'task':
      return 'task';
    case 'taint':
      return 'compromised';
    case 'key':
      return `key ${keyStateName(body.value.state)}`;
    case 'loss':
      return 'accepted loss';
    default:
      return 'unknown';
  }
}

/** The task, or the key, that an entry is about; empty where it is about none. */
export function subjectName({ body }: Entry): string {
  switch (body.case) {
    case 'task':
      return body.value.name?.jti ?? '';
    case 'taint':
      return body.value.subject.case === 'kid' ? body.value.subject.value : (body.value.subject.value?.jti ?? '');
    case 'key':
      return body.value.kid;
    default:
      return '';
  }
}

/** The workflow of that task. */
export function workflowOf({ body }: Entry): string {
  if (body.case === 'task') return body.value.name?.wid ?? '';
  if (body.case !== 'taint' || body.value.subject.case !== 'task') return '';
  return body.value.subject.value.wid;
}

/** Who did the task, or stated the rest. */
export function authorOf({ body }: Entry): string {
  switch (body.case) {
    case 'task':
      return body.value.iss;
    case 'taint':
    case 'key':
      return body.value.statedBy;
    case 'loss':
      return 'operator';
    default:
      return '';
  }
}

/** The token or the statement; empty where it has been erased. */
export function contentOf({ body }: Entry): string {
  if (body.case === undefined) return '';
  return body.case === 'task' ? body.value.token : body.value.statement;
}

/** The rows of a ledger entry. An empty value means that the entry has no such property. */
export function entryRows(entry: Entry): readonly Row[] {
  const { index = 0n, body } = entry;
  return [
    ['index', String(index)],
    ...(body.case === 'task' ? taskRows(body.value) : [['kind', kindName(entry)] as const, ...otherRows(entry, body)]),
    ['recorded', isoTime(entry.recordedAt)],
    ...provenanceRows(entry.provenance),
  ];
}

/** Where the service tells it: who had the entry recorded, how that was proven, and by which policy it was allowed. */
function provenanceRows(provenance: Provenance | undefined): readonly Row[] {
  if (provenance === undefined) return [];
  const { action, caller, proof, strength, proofBy, policyDigest } = provenance;
  const how =
    proofBy === ''
      ? nameIn(CallerProof, proof)
      : `${nameIn(CallerProof, proof)} (${nameIn(ProofStrength, strength)}), ${proofBy}`;
  return [
    ['asked by', `${caller === '' ? 'anonymous' : caller}, ${action}`],
    ['proof', how],
    ['policy', policyDigest],
  ];
}

function nameIn(names: Readonly<Record<number, string>>, value: number): string {
  return (names[value] ?? 'unknown').toLowerCase();
}

function taskRows({ name, iss, pred, iat, kid }: TaskEntry): readonly Row[] {
  return [
    ['jti', name?.jti ?? ''],
    ['wid', name?.wid ?? ''],
    ['iss', iss],
    ['pred', pred.join(' ')],
    ['iat', iat === undefined ? '' : utc(iat.seconds)],
    ['kid', kid],
  ];
}

function otherRows(entry: Entry, body: Entry['body']): readonly Row[] {
  const by = ['by', authorOf(entry)] as const;
  if (body.case === 'taint') return [...taintRows(body.value), ['marked by', authorOf(entry)]];
  if (body.case === 'key') return [...keyRows(body.value), by];
  if (body.case === 'loss') return [by, ...lossRows(body.value)];
  return [];
}

function taintRows({ subject, compromisedSince }: TaintEntry): readonly Row[] {
  if (subject.case === 'kid')
    return [
      ['kid', subject.value],
      ['since', isoTime(compromisedSince)],
    ];
  return [
    ['jti', subject.value?.jti ?? ''],
    ['wid', subject.value?.wid ?? ''],
  ];
}

function keyRows({ kid }: KeyEntry): readonly Row[] {
  return [['kid', kid]];
}

function lossRows({ shownSize }: LossEntry): readonly Row[] {
  return [['shown', `${shownSize} ${shownSize === 1n ? 'entry' : 'entries'}`]];
}

function isoTime(time: Timestamp | undefined): string {
  return time === undefined ? '' : new Date(timestampMs(time)).toISOString();
}

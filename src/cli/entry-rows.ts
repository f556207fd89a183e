// Formats entries of the ledger as lines of text.

import type { DescEnum } from '@bufbuild/protobuf';
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  CallerProofSchema,
  type Entry,
  type KeyEntry,
  type LossEntry,
  ProofStrengthSchema,
  type Provenance,
  type TaintEntry,
  type TaskEntry,
} from '../gen/ect/v1/ledger_pb.ts';
import { keyStateName } from './key-state.ts';
import { utc } from './output.ts';

type Row = readonly [name: string, value: string];

/** Returns the kind of an entry, as `--kind` names it; for a signing key with its change: `key announced`, `key revoked`. */
export function kindName({ body }: Entry): string {
  switch (body.case) {
    case 'task':
      return 'task';
    case 'taint':
      return 'taint';
    case 'key':
      return `key ${keyStateName(body.value.state)}`;
    case 'loss':
      return 'loss';
    default:
      return 'unknown';
  }
}

/** Returns the task or the key that an entry is about; empty if there is none. */
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

/** Returns the workflow of that task. */
export function workflowOf({ body }: Entry): string {
  if (body.case === 'task') return body.value.name?.wid ?? '';
  if (body.case !== 'taint' || body.value.subject.case !== 'task') return '';
  return body.value.subject.value.wid;
}

/** Returns the author of an entry: the issuer of the task, or the administrator who made the statement. */
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

/** Returns the token or the statement; empty if it has been erased. */
export function contentOf({ body }: Entry): string {
  if (body.case === undefined) return '';
  return body.case === 'task' ? body.value.token : body.value.statement;
}

/** Returns the rows of an entry. An empty value means that the entry has no such property. */
export function entryRows(entry: Entry): readonly Row[] {
  const { index = 0n, body } = entry;
  return [
    ['index', String(index)],
    ...(body.case === 'task' ? taskRows(body.value) : [['kind', kindName(entry)] as const, ...otherRows(entry, body)]),
    ['recorded', isoTime(entry.recordedAt)],
    ...provenanceRows(entry.provenance),
  ];
}

/**
 * Returns the provenance, if the service discloses it: who requested the entry, how the caller was authenticated, and which policy
 * permitted it.
 */
function provenanceRows(provenance: Provenance | undefined): readonly Row[] {
  if (provenance === undefined) return [];
  const { action, caller, proof, strength, proofBy, policyDigest } = provenance;
  const how =
    proofBy === ''
      ? nameIn(CallerProofSchema, proof)
      : `${nameIn(CallerProofSchema, proof)} (${nameIn(ProofStrengthSchema, strength)}), ${proofBy}`;
  return [
    ['asked by', `${caller === '' ? 'anonymous' : caller}, ${action}`],
    ['proof', how],
    ['policy', policyDigest],
  ];
}

function nameIn({ value: names }: DescEnum, value: number): string {
  return value === 0 ? 'unknown' : (names[value]?.localName ?? 'unknown').toLowerCase();
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

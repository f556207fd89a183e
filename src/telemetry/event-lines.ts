// The text of events: one line each, whatever a caller chose as a name or a driver quotes in its message.

import { EctError, type ErrorReason } from '../errors.ts';

const MAX_VALUE_BYTES = 256;
const MAX_STACK_FRAMES = 12;
/** Printable ASCII: what a name usually is, and what needs no cleaning. */
const PLAIN = /^[\x20-\x7e]*$/;

/** What became of one call. */
export interface FinishedCall {
  /** `ect.v1.AuthorityService/Issue`, or `unknown` for a path that is no method: never a path that a caller made up. */
  readonly method: string;
  readonly protocol: string;
  /** The proven name of the caller, or `anonymous`. */
  readonly caller: string;
  /** What proved that name, and who vouched for it. */
  readonly proof?: { readonly method: string; readonly strength: string; readonly by: string } | undefined;
  /** The gRPC code by name: `OK`, `INVALID_ARGUMENT`. */
  readonly code: string;
  /** Why it was rejected. A response that is a rejection (an invalid verdict) has one under the code `OK`. */
  readonly reason: ErrorReason | undefined;
  readonly durationMs: number;
}

/** Codes that the operator of the service must look at; the others are the caller's. */
const FAULTS: ReadonlySet<string> = new Set(['UNKNOWN', 'INTERNAL', 'DATA_LOSS', 'UNAVAILABLE', 'DEADLINE_EXCEEDED']);
/** What is rejected because there is too much, though its code is one of these. */
const LOAD: ReadonlySet<string> = new Set<ErrorReason>(['SERVICE_OVERLOADED', 'SIGNER_BUSY']);

// Many calls share a millisecond, and many in a row a caller.
let lastMs = 0;
let lastTime = '';
let lastCaller: string | undefined;
let lastName = '';
let lastProof: FinishedCall['proof'];
let lastProven = '';

/** `call` as a line. Only the caller's name and the authenticating party need escaping; all other values are constants. */
export function callLine(call: FinishedCall, reason: string, worker: number | undefined): string {
  const { method, protocol, caller, proof, code, durationMs } = call;
  const outcome = FAULTS.has(code) && !LOAD.has(reason) ? 'error' : reason === '' ? 'ok' : 'refused';
  if (caller !== lastCaller) {
    lastCaller = caller;
    lastName = JSON.stringify(cleanText(caller));
  }
  if (proof !== lastProof) {
    lastProof = proof;
    lastProven =
      proof === undefined
        ? ''
        : `"proof":"${proof.method}","strength":"${proof.strength}","by":${JSON.stringify(cleanText(proof.by))},`;
  }
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTime = new Date(now).toISOString();
  }
  const end = reason === '' ? '' : `,"reason":"${reason}"`;
  const from = worker === undefined ? '' : `"worker":${worker},`;
  return (
    `{"level":"info","time":"${lastTime}",${from}"event":"call","method":"${method}",` +
    `"protocol":"${protocol}","caller":${lastName},${lastProven}"outcome":"${outcome}","code":"${code}",` +
    `"durationMs":${round(durationMs)}${end}}\n`
  );
}

export function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/**
 * An error as one value of a line: its name, a cleaned message and where it was thrown. The frames are taken apart from
 * the message, because messages of JSON and of drivers quote what they were given.
 */
export function describeCause(cause: unknown, depth = 0): Readonly<Record<string, unknown>> {
  if (!(cause instanceof Error)) return { message: cleanText(String(cause)) };
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line));
  return {
    name: cleanText(cause.name),
    message: cleanText(withoutTokens(cause.message)),
    stack: frames.slice(0, MAX_STACK_FRAMES).map((line) => cleanText(line.trim())),
    ...(cause.cause === undefined || depth === 3 ? {} : { cause: describeCause(cause.cause, depth + 1) }),
  };
}

/**
 * A failure of something that the service depends on, in one line: its reason, and what the error and each of its causes say, outermost
 * first. Stacks are for bugs of ours: then `cause` has them.
 */
export function describeFailure(failure: unknown): Readonly<Record<string, unknown>> {
  const chain: unknown[] = [];
  for (
    let at = failure;
    at !== undefined && chain.length < MAX_CAUSES;
    at = at instanceof Error ? at.cause : undefined
  ) {
    chain.push(at);
  }
  const said = chain.map((link) => cleanText(withoutTokens(link instanceof Error ? textOf(link) : String(link))));
  return {
    ...(failure instanceof EctError ? { reason: failure.reason } : {}),
    causes: said.filter((text, place) => text !== '' && said.indexOf(text) === place),
    ...(chain.some(isBug) ? { cause: describeCause(failure) } : {}),
  };
}

const MAX_CAUSES = 5;

/** Our own sentences stand by themselves; of others the name says what they are. */
function textOf({ name, message }: Error): string {
  return name === 'Error' || name === 'EctError' ? message : `${name}: ${message}`;
}

/** What only our code can throw. What Node or a driver throws of these classes has a `code` or a cause. */
function isBug(link: unknown): boolean {
  const isOfBugs = link instanceof TypeError || link instanceof RangeError || link instanceof ReferenceError;
  return isOfBugs && !('code' in link) && link.cause === undefined;
}

/** A task by its names, which somebody outside chose. */
export interface TaskNames {
  readonly iss: string;
  readonly wid: string;
  readonly jti: string;
}

/** The names of a task, made safe for a line. */
export function cleanTask({ iss, wid, jti }: TaskNames): TaskNames {
  return { iss: cleanText(iss), wid: cleanText(wid), jti: cleanText(jti) };
}

/** Long runs of base64url are tokens, keys or hashes. */
function withoutTokens(message: string): string {
  return message.replace(/[A-Za-z0-9_-]{24,}/g, '[removed]');
}

/** At most 256 bytes without control characters, line separators or marks that reorder text on a screen. */
export function cleanText(text: string): string {
  if (text.length <= MAX_VALUE_BYTES && PLAIN.test(text)) return text;
  const bytes = Buffer.from(text.slice(0, MAX_VALUE_BYTES));
  let end = Math.min(bytes.length, MAX_VALUE_BYTES);
  // Never cut inside a character: bytes 10xxxxxx continue one.
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end).replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '?');
}

/** A trust file may have thousands of mistakes. */
export const MAX_WHY_LENGTH = 2_000;

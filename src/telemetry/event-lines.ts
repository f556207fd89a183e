// Formats events: one line each, whatever names callers choose and messages drivers produce.

import { EctError, type ErrorReason } from '../errors.ts';

const MAX_VALUE_BYTES = 256;
const MAX_STACK_FRAMES = 12;
/** Printable ASCII: the usual characters of a name. Such text needs no cleaning. */
const PLAIN = /^[\x20-\x7e]*$/;

/** The outcome of one call. */
export interface FinishedCall {
  /** `ect.v1.AuthorityService/Issue`, or `unknown` for any other path. It never contains a path that a caller invented. */
  readonly method: string;
  readonly protocol: string;
  /** The authenticated name of the caller, or `anonymous`. */
  readonly caller: string;
  /** How the caller was authenticated, and by whom. */
  readonly proof?: { readonly method: string; readonly strength: string; readonly by: string } | undefined;
  /** The name of the gRPC code: `OK`, `INVALID_ARGUMENT`. */
  readonly code: string;
  /** The reason of a rejection. A response with an invalid verdict has a reason and the code `OK`. */
  readonly reason: ErrorReason | undefined;
  readonly durationMs: number;
}

/** The codes that need the attention of the operator. The other codes are caused by the caller. */
const FAULTS: ReadonlySet<string> = new Set(['UNKNOWN', 'INTERNAL', 'DATA_LOSS', 'UNAVAILABLE', 'DEADLINE_EXCEEDED']);
/** Reasons that mean too much load, although their code is one of these. */
const LOAD: ReadonlySet<string> = new Set<ErrorReason>(['SERVICE_OVERLOADED', 'SIGNER_BUSY']);

// Many calls occur within one millisecond, and many consecutive calls have the same caller.
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
 * Returns an error as one value of a line: its name, a cleaned message and where it was thrown. The stack frames are separated from the
 * message, because messages of JSON and of drivers quote their input.
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
 * Returns the failure of a dependency as one value: its reason, and the messages of the error and its causes, outermost first. Only a bug
 * has stacks; for a bug it returns `cause`.
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

/** Messages of this project are complete. For other errors the name is added. */
function textOf({ name, message }: Error): string {
  return name === 'Error' || name === 'EctError' ? message : `${name}: ${message}`;
}

/** Whether an error can only come from this code. Errors of these classes from Node or a driver have a `code` or a cause. */
function isBug(link: unknown): boolean {
  const isOfBugs = link instanceof TypeError || link instanceof RangeError || link instanceof ReferenceError;
  return isOfBugs && !('code' in link) && link.cause === undefined;
}

/** The names of a task, which a caller has chosen. */
export interface TaskNames {
  readonly iss: string;
  readonly wid: string;
  readonly jti: string;
}

/** Returns the names of a task without characters that are unsafe in a line. */
export function cleanTask({ iss, wid, jti }: TaskNames): TaskNames {
  return { iss: cleanText(iss), wid: cleanText(wid), jti: cleanText(jti) };
}

/** Removes long runs of base64url, which are tokens, keys or hashes. */
function withoutTokens(message: string): string {
  return message.replace(/[A-Za-z0-9_-]{24,}/g, '[removed]');
}

/** Returns at most 256 bytes of a text, without control characters, line separators and marks that reorder text on a screen. */
export function cleanText(text: string): string {
  if (text.length <= MAX_VALUE_BYTES && PLAIN.test(text)) return text;
  const bytes = Buffer.from(text.slice(0, MAX_VALUE_BYTES));
  let end = Math.min(bytes.length, MAX_VALUE_BYTES);
  // Never cut inside of a character: bytes 10xxxxxx continue one.
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end).replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '?');
}

/** A trust file may have thousands of faults. */
export const MAX_WHY_LENGTH = 2_000;

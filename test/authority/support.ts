// Short ways to call the procedures, with the defaults that a request has.

import {
  type Appended,
  type AuthorityContext,
  append,
  type Caller,
  type Issued,
  type IssueInput,
  issue,
  type Verdict,
  type VerifyInput,
  verify,
} from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';

export const anonymous: Caller = { kind: 'anonymous' };
export const PARTY = 'urn:example:reader';
/** A call that nobody ends: a machine that is busy may take as long as it wants. */
export const endless = { signal: new AbortController().signal };

export function issueFor(
  context: AuthorityContext,
  order: Partial<IssueInput> = {},
  caller = anonymous,
): Promise<Issued> {
  return issue(context, caller, issueInput(order), endless);
}

/** An order as a plain request makes it, but for what is given. */
export function issueInput(order: Partial<IssueInput> = {}): IssueInput {
  return {
    execAct: 'review_spec',
    aud: [PARTY],
    pred: [],
    wid: '',
    jti: '',
    iss: '',
    ttlSeconds: undefined,
    inpHash: '',
    outHash: '',
    ext: undefined,
    draft: '01',
    level: 'L2',
    record: 'sync',
    requestId: '',
    ...order,
  };
}

export function verifyFor(
  context: AuthorityContext,
  token: string,
  order: Partial<VerifyInput> = {},
  caller = anonymous,
): Promise<Verdict> {
  const defaults: VerifyInput = {
    token,
    audience: PARTY,
    predecessors: [],
    dag: 'none',
    replay: 'record',
    requestId: '',
    minimumLevel: undefined,
    mode: 'enforce',
    asOf: undefined,
    inputHash: undefined,
    outputHash: undefined,
    input: undefined,
    output: undefined,
  };
  return verify(context, caller, { ...defaults, ...order }, endless);
}

export function appendTo(context: AuthorityContext, token: string, caller = anonymous): Promise<Appended> {
  return append(context, caller, token, endless.signal);
}

/** Issues a task and records it; answers its `jti`. */
export async function recordTask(context: AuthorityContext, order: Partial<IssueInput> = {}): Promise<string> {
  const { token, claims } = await issueFor(context, order);
  await appendTo(context, token);
  return claims.jti;
}

/** The reason that a call is rejected with. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'OK';
  } catch (error) {
    if (error instanceof EctError) return error.reason;
    throw error;
  }
}

export function reasonIn(verdict: Verdict): string {
  return verdict.rejection?.reason ?? 'VALID';
}

/** The second signature that ECDSA gives everybody for free: `n - s`. */
export function highTwin(token: string): string {
  const at = token.lastIndexOf('.') + 1;
  const raw = Buffer.from(token.slice(at), 'base64url').toString('hex');
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const s = (order - BigInt(`0x${raw.slice(64)}`)).toString(16).padStart(64, '0');
  return token.slice(0, at) + Buffer.from(raw.slice(0, 64) + s, 'hex').toString('base64url');
}

// Tokens that another party's library made, trusted by a running service through its trust file; and tokens of the service,
// read by that library. The claims are those of the reference implementations, in both drafts.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';

export const AUDIENCE = 'urn:example:reviewer';

/** Claims by their names in a token. */
type Claims = Readonly<Record<string, unknown>> & { readonly jti: string; readonly wid: string };

interface Made {
  readonly issuers: readonly object[];
  /** A root task and one after it, for each kind of key and draft. */
  readonly tokens: readonly { readonly draft: '00' | '01'; readonly claims: Claims; readonly token: string }[];
}

export interface Read {
  readonly header: Readonly<Record<string, string>>;
  readonly claims: Claims;
}

/** A library that makes and reads tokens. */
export interface Stranger {
  make(aud: string): Promise<Made>;
  read(tokens: readonly string[], jwks: object): Promise<readonly Read[]>;
}

/** Everything that goes from the stranger to the service and back. `kinds` is how many kinds of keys it makes. */
export async function exchangeTokens(stranger: Stranger, kinds: number): Promise<void> {
  const made = await stranger.make(AUDIENCE);
  expect(made.tokens).toHaveLength(kinds * 4);
  const folder = await mkdtemp(join(tmpdir(), 'ect-foreign-'));
  try {
    const trustFile = join(folder, 'trust.json');
    await writeFile(trustFile, JSON.stringify({ issuers: made.issuers }));
    const settings = { ECT_STORE: 'memory', ECT_TRUST_FILE: trustFile, ECT_ALGORITHMS: 'ES256,ES384,EdDSA,PS256' };
    await using service = await startService(settings);
    await acceptTheirs(service, made);
    await showOurs(service, stranger, made);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function acceptTheirs(service: ServiceProcess, { tokens }: Made): Promise<void> {
  for (const { draft, claims, token } of tokens) {
    const verdict = await post(service, 'Verify', { token, audience: AUDIENCE, input: btoa('test') });
    expect(verdict).toMatchObject({ valid: true, level: 'LEVEL_L2', claims: asRead(claims, draft) });
    const again = await post(service, 'Verify', { token, audience: AUDIENCE });
    expect(again).toMatchObject({ finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
    const at = token.length - 40;
    const forged = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    expect(await post(service, 'Verify', { token: forged, audience: AUDIENCE })).toMatchObject({
      finding: { reason: 'ERROR_REASON_SIGNATURE_INVALID' },
    });
    // The root comes first, so the graph of each is complete, and each can be recorded.
    await post(service, 'AppendLedger', { token });
    const dag = await post(service, 'ValidateDAG', { token });
    expect(dag['dagReport']).toMatchObject({ status: 'DAG_STATUS_COMPLETE' });
    expect(dag['size']).toBe(claimsBefore(claims).length + 1);
  }
}

/** Issues a task after each of theirs, in the same draft, and lets them read it. */
async function showOurs(service: ServiceProcess, stranger: Stranger, { tokens }: Made): Promise<void> {
  const ours = [];
  for (const { draft, claims } of tokens) {
    const { jti, wid } = claims;
    const ectExt = { pol: 'trade_policy', pol_decision: 'approved', 'com.example.cost': 0.25 };
    const request = { execAct: 'execute_trade', aud: [AUDIENCE], wid, pred: [jti], ectExt, input: btoa('test') };
    ours.push(await post(service, 'Issue', { ...request, draft: `DRAFT_ECT_${draft}`, level: 'LEVEL_L3' }));
  }
  const jwks = (await (await fetch(`${service.url}/.well-known/jwks.json`)).json()) as object;
  const read = await stranger.read(
    ours.map(({ token }) => String(token)),
    jwks,
  );
  for (const [at, { header, claims }] of read.entries()) {
    const { draft, claims: theirs } = tokens[at]!;
    expect(header).toEqual({
      alg: 'ES256',
      typ: draft === '00' ? 'wimse-exec+jwt' : 'exec+jwt',
      kid: ours[at]!['kid'],
    });
    expect(claims).toEqual({ ...referenceClaims(draft, theirs), ...timesAndId(ours[at]!) });
  }
}

/** What a token of ours says, in the very members that the reference implementations give it. */
function referenceClaims(draft: '00' | '01', { jti, wid }: Claims): object {
  const hash = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
  const common = { iss: 'urn:ect:dev', aud: [AUDIENCE], wid, exec_act: 'execute_trade' };
  const policy = { pol: 'trade_policy', pol_decision: 'approved' };
  const own = { 'com.example.cost': 0.25 };
  return draft === '00'
    ? { ...common, par: [jti], inp_hash: `sha-256:${hash}`, ext: own, ...policy }
    : { ...common, pred: [jti], inp_hash: hash, ect_ext: { ...policy, ...own } };
}

function timesAndId({ claims }: Record<string, unknown>): object {
  const { jti, iat, exp } = claims as { jti: string; iat: string; exp: string };
  return { jti, iat: Date.parse(iat) / 1000, exp: Date.parse(exp) / 1000 };
}

/** How the API shows claims of theirs: in the names of -01, without what is empty. */
function asRead(claims: Claims, draft: '00' | '01'): object {
  const { iss, aud, jti, wid, exec_act: execAct, inp_hash: hash } = claims;
  const ectExt = claims[draft === '00' ? 'ext' : 'ect_ext'];
  const inpHash = String(hash).replace('sha-256:', '');
  const pred = claimsBefore(claims);
  return { iss, aud, jti, wid, execAct, inpHash, ectExt, ...(pred.length === 0 ? {} : { pred }) };
}

function claimsBefore(claims: Claims): readonly string[] {
  return (claims['par'] ?? claims['pred']) as readonly string[];
}

/** One call over HTTP and JSON, which must succeed. */
async function post(service: ServiceProcess, method: string, request: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${service.url}/ect.v1.AuthorityService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  const text = await answer.text();
  expect({ status: answer.status, text: answer.ok ? '' : text }).toEqual({ status: 200, text: '' });
  return JSON.parse(text) as Record<string, unknown>;
}

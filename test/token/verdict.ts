// The verdict on one token, as the tests of verification ask for it.

import { type VerifyOptions, verifyToken } from '../../src/token/index.ts';
import { AUD, keys, NOW, policy } from '../support/tokens.ts';

export function verdictOn(token: string, question: Partial<VerifyOptions> = {}, ring = keys) {
  return verifyToken(token, { now: NOW, audience: AUD, purpose: 'presented', ...question }, policy, ring);
}

export function reasonFor(token: string, question: Partial<VerifyOptions> = {}, ring = keys): string {
  const verdict = verdictOn(token, question, ring);
  return verdict.ok ? 'VALID' : verdict.rejection.reason;
}

export function claimAt(token: string): string | undefined {
  const verdict = verdictOn(token);
  return verdict.ok ? undefined : verdict.rejection.metadata['claim'];
}

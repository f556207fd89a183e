// Authorizers for tests: the real engine with a policy of the test.

import { readFileSync } from 'node:fs';
import type { Caller } from '../../src/authority/index.ts';
import {
  loadCedar,
  NO_LIMITS,
  PolicyAuthorizer,
  type PolicyInForce,
  type PolicyRejection,
  readLimits,
} from '../../src/policy/index.ts';
import { ISSUER } from './authority.ts';

const cedar = await loadCedar();

export interface TestPolicy {
  readonly issuer?: string;
  readonly isAdministrator?: (caller: Caller) => boolean;
  readonly limits?: string;
  readonly refusals?: PolicyRejection[];
}

/** Compiles a policy and its limits. */
export function inForce(text: string, limits?: string): PolicyInForce {
  const read = cedar.readPolicy(text);
  if (!read.ok) throw new Error(read.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'));
  return { policy: read.policy, limits: limitsOf(limits), digest: 'test' };
}

function limitsOf(text: string | undefined) {
  if (text === undefined) return NO_LIMITS;
  const read = readLimits(text);
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.table;
}

export function authorizerFor(text: string, options: TestPolicy = {}): PolicyAuthorizer {
  const { issuer = ISSUER, isAdministrator = () => false, limits, refusals = [] } = options;
  const onRejected = (rejection: PolicyRejection) => void refusals.push(rejection);
  return new PolicyAuthorizer({ issuer, isAdministrator, onRejected }, inForce(text, limits));
}

/** Returns a file of the folder `policy`. */
export function policyText(name: string): string {
  return readFileSync(new URL(`../../policy/${name}`, import.meta.url), 'utf8');
}

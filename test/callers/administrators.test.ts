import { expect, test } from 'vitest';
import { administrators } from '../../src/callers/administrators.ts';
import { workload } from '../support/callers.ts';

const A = workload('spiffe://example.com/a');
const ANONYMOUS = { kind: 'anonymous' } as const;

test('there are no administrators if none were named', () => {
  expect([A, ANONYMOUS].map(administrators([]))).toEqual([false, false]);
});

test('a SPIFFE ID is one, exactly as it is written', () => {
  const isAdministrator = administrators([A.id]);
  expect(isAdministrator(A)).toBe(true);
  for (const id of ['spiffe://example.com/A', 'spiffe://example.com/a/b', 'spiffe://example.com/', 'anonymous']) {
    expect(isAdministrator(workload(id)), id).toBe(id === A.id);
  }
  expect(isAdministrator(ANONYMOUS)).toBe(false);
});

test('every caller without an identity is one where the operator said so', () => {
  expect([A, ANONYMOUS].map(administrators(['anonymous']))).toEqual([false, true]);
});

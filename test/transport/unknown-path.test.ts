// The kind of fault: a rejection that does not say what was rejected.

import { expect, test } from 'vitest';
import { unknownPath } from '../../src/transport/unknown-path.ts';

const METHODS = ['/ect.v1.AuthorityService/Issue', '/ect.v1.LedgerService/GetEntry', '/ect.v1.AdminService/ListKeys'];

test('a method that is not there is named', () => {
  const error = unknownPath('/ect.v1.AuthorityService/Forge', METHODS);
  expect(error.reason).toBe('METHOD_UNKNOWN');
  expect(error.message).toBe('there is no method or page /ect.v1.AuthorityService/Forge');
});

test('the rejection of a misspelt method or service has the path that was meant', () => {
  expect(unknownPath('/healtz', METHODS, ['/healthz', '/readyz']).message).toContain('(did you mean /healthz?)');
  const meant = '(did you mean /ect.v1.AuthorityService/Issue?)';
  expect(unknownPath('/ect.v1.AuthorityService/Isue', METHODS).message).toContain(meant);
  expect(unknownPath('/ect.v1.AuthorityServic/Issue', METHODS).message).toContain(meant);
});

test('the rejection of a method of another service has its path', () => {
  expect(unknownPath('/ect.v1.AuthorityService/GetEntry', METHODS).message).toBe(
    'there is no method or page /ect.v1.AuthorityService/GetEntry (did you mean /ect.v1.LedgerService/GetEntry?)',
  );
});

test('what a peer chose is cut, and holds no character of another line', () => {
  const { message } = unknownPath(`/a\n\u202e${'x'.repeat(10_000)}`, METHODS);
  expect(message).toMatch(/^there is no method or page \/a\\u000a\\u202ex+…$/);
  expect(message.length).toBeLessThan(160);
});

// A string in the place of a list of strings: what Python makes of aud="urn:x". Every request that has such a list is asked.

import {
  type DescField,
  type DescMessage,
  type DescMethod,
  fromJson,
  type JsonObject,
  ScalarType,
} from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { isSpelledOut } from '../../src/api/lists.ts';
import type { Call } from '../../src/calls/call.ts';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';
import { makeAuthority } from '../support/authority.ts';

const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => undefined,
};

/** The fields that lead to each list of strings in a message. */
function listsIn(message: DescMessage): readonly (readonly DescField[])[] {
  return message.fields.flatMap((field) => {
    if (field.fieldKind === 'list' && field.scalar === ScalarType.STRING) return [[field]];
    const inner = field.message?.typeName.startsWith('ect.v1.') ? field.message : undefined;
    return inner === undefined ? [] : listsIn(inner).map((rest) => [field, ...rest]);
  });
}

const methods: readonly DescMethod[] = [AuthorityService, LedgerService, KeyService, AdminService].flatMap(
  (service) => service.methods,
);
const lists = methods.flatMap((method) => listsIn(method.input).map((fields) => ({ method, fields })));
const pathOf = (fields: readonly DescField[]) => fields.map(({ name }) => name).join('.');
const rows = lists.map(({ method, fields }) => [`${method.name} ${pathOf(fields)}`, method, fields] as const);

/** A request with letters in that list, and with what is needed for it to be looked at. */
function requestWith([field, ...rest]: readonly DescField[]): JsonObject {
  if (field === undefined) return {};
  const others = field.parent.fields.filter(({ name }) => name !== field.name).map(({ name }) => name);
  const needed = field.oneof === undefined && others.includes('token') ? { token: 'x' } : {};
  const inner = rest.length === 0 ? Array.from('urn:x') : requestWith(rest);
  return { ...needed, [field.name]: field.fieldKind === 'list' && rest.length > 0 ? [inner] : inner };
}

describe('letters are rejected, with what happened', () => {
  test('in every list of strings that a request has', () => {
    expect(rows.map(([name]) => name)).toEqual([
      'Issue aud',
      'Issue pred',
      'BatchIssue items.request.aud',
      'BatchIssue items.request.pred',
      'Verify predecessor_tokens',
      'BatchVerify items.request.predecessor_tokens',
      'ValidateDAG bundle.tokens',
      'ValidateDAG predecessor_tokens',
    ]);
  });

  test.each(rows)('%s', async (_, method, fields) => {
    const { context } = await makeAuthority();
    const procedures = authorityService(context).procedures as Readonly<
      Record<string, (...args: unknown[]) => unknown>
    >;
    const request = fromJson(method.input, requestWith(fields));
    const answer = await Promise.resolve()
      .then(() => procedures[method.localName]?.(request, CALL))
      .catch((thrown: unknown) => thrown);
    const text = answer instanceof Error ? answer.message : firstError(answer);
    const field = pathOf(fields).replace('items.request.', '');
    expect(text).toContain(
      `${field} has several entries of one character: a string was given where a list is expected.`,
    );
    expect(text.split(`${field} `).length).toBe(2); // It is the only fault of that field.
  });

  function firstError(answer: unknown): string {
    const [first] = (answer as { results: readonly { result: { case: string; value: { message: string } } }[] })
      .results;
    expect(first?.result.case).toBe('error');
    return first?.result.value.message ?? '';
  }
});

test.each([
  ['letters', Array.from('urn:x'), true],
  ['letters of two UTF-16 units', ['😀', '😁'], true],
  ['letters beside another entry', ['urn:a', 'x', 'urn:b', 'y'], true],
  ['no entry', [], false],
  ['one letter, which says what was meant', ['x'], false],
  ['one letter beside another entry', ['urn:a', 'x'], false],
  ['strings', ['urn:a', 'ab'], false],
  ['empty strings, which have rules of their own', ['', ''], false],
])('%s', (_, entries, expected) => {
  expect(isSpelledOut(entries)).toBe(expected);
});

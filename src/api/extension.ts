// Reads the extension object of a request: a Struct, or JSON text that is copied into the token unchanged.

import type { IssueInput } from '../authority/index.ts';
import { MAX_EXT_TEXT_CHARACTERS } from '../calls/message-limits.ts';
import { EctError, reject } from '../errors.ts';
import type { IssueRequest } from '../gen/ect/v1/authority_pb.ts';
import { hasMoreCharacters } from '../keys/index.ts';
import { type JsonObject, MAX_EXT_DEPTH, parseStrictObject, TOO_DEEP } from '../token/index.ts';
import { demand, invalid } from './invalid.ts';

export function readExtension(extension: IssueRequest['extension']): IssueInput['ext'] {
  switch (extension.case) {
    case 'ectExt':
      return readExtensionText('ect_ext', writeStruct(extension.value));
    case 'ectExtJson':
      demand(
        !hasMoreCharacters(extension.value, MAX_EXT_TEXT_CHARACTERS),
        'ect_ext_json',
        `must have at most ${MAX_EXT_TEXT_CHARACTERS} characters`,
      );
      return readExtensionText('ect_ext_json', extension.value);
    default:
      return undefined;
  }
}

/** Parses the text as a verifier does, so that the issued token can be verified. */
function readExtensionText(field: string, text: string): IssueInput['ext'] {
  const parsed = parseStrictObject(text);
  if (!parsed.ok && parsed.fault === TOO_DEEP) throw tooDeep(field);
  if (!parsed.ok) throw invalid(field, `must be one strict JSON object: ${parsed.fault}`);
  // A verifier checks numbers of the top level by the rules of their claims. Members of an extension have no such rules.
  if (Object.values(parsed.value).some((member) => typeof member === 'number' && !Number.isFinite(member))) {
    throw invalid(field, 'must be one strict JSON object: a number is out of range');
  }
  return { value: parsed.value, text, field };
}

/** Text that is nested deeper than is looked at, and so deeper than any extension may be. */
function tooDeep(field: string): EctError {
  const limit = String(MAX_EXT_DEPTH);
  const rejection = reject('EXT_TOO_DEEP', `${field} is nested more than ${limit} deep.`, { limit_depth: limit });
  return new EctError({ ...rejection, violations: [{ field, description: rejection.message }] });
}

function writeStruct(value: JsonObject): string {
  try {
    return JSON.stringify(value, (_, member) => {
      if (typeof member === 'number' && !Number.isFinite(member)) throw new RangeError('not a JSON number');
      return member;
    });
  } catch {
    throw invalid('ect_ext', `must hold finite numbers only, and be nested at most ${MAX_EXT_DEPTH} deep`);
  }
}

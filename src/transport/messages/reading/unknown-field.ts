// A name that is not a field of a message: usually a misspelt field, or a field of a nested message.

import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { nearest } from '../../../spelling.ts';

/** Longer names are not compared. */
const MAX_COMPARED = 64;
const MAX_EDITS = 3;
/** A message with more fields is not listed. */
const MAX_LISTED = 3;
/** A shorter prefix matches too many names. */
const LEAST_BEGINNING = 3;

/** The error for an unknown name, with the field that was probably meant, in the spelling of the caller. */
export function unknownField(desc: DescMessage, name: string): string {
  return `is not a field of ${desc.typeName}${hint(desc, name)}`;
}

function hint(desc: DescMessage, name: string): string {
  const spell = speller(name);
  // So few fields are listed: the one that was meant may have quite another name (`items` for `requests`).
  const isListed = desc.fields.length > 0 && desc.fields.length <= MAX_LISTED;
  const meant = name.length > MAX_COMPARED ? undefined : isListed ? within(desc, name, spell) : meantBy(desc, name);
  if (meant !== undefined) return ` (did you mean ${meant}?)`;
  return isListed ? ` (its fields: ${desc.fields.map(spell).join(', ')})` : '';
}

/** Spells fields as the caller has spelt a name. */
function speller(name: string): (field: DescField) => string {
  return (field) => (name.includes('_') ? field.name : field.jsonName);
}

function meantBy(desc: DescMessage, name: string): string | undefined {
  const spell = speller(name);
  const names = desc.fields.map(spell);
  return nearest(name, names, MAX_EDITS) ?? oneThatBegins(name, names) ?? within(desc, name, spell);
}

/** The only field that starts with the name, or whose name is a prefix of it: `audience` means `aud`. */
function oneThatBegins(name: string, names: readonly string[]): string | undefined {
  if (name.length < LEAST_BEGINNING) return undefined;
  const found = names.filter(
    (known) => known.length >= LEAST_BEGINNING && (known.startsWith(name) || name.startsWith(known)),
  );
  return found.length === 1 ? found[0] : undefined;
}

/** A field with this name in a nested message: `execAct` of an item is `request.execAct`. */
function within(desc: DescMessage, name: string, spell: (field: DescField) => string): string | undefined {
  const paths = desc.fields.flatMap((field) => {
    if (field.fieldKind !== 'message' || field.message.typeName.startsWith('google.')) return [];
    const inner = field.message.fields.find((each) => each.name === name || each.jsonName === name);
    return inner === undefined ? [] : [`${spell(field)}.${name}`];
  });
  return paths.length === 1 ? paths[0] : undefined;
}

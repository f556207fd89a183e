// A name that is not a field of a message: usually a misspelt field, or a field of a nested message.

import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { nearest } from '../../../spelling.ts';

/** Longer names are not compared. */
const MAX_COMPARED = 64;
const MAX_EDITS = 3;
/** A shorter prefix matches too many names. */
const LEAST_BEGINNING = 3;

/** The error for an unknown name, with the field that was probably meant, in the spelling of the caller. */
export function unknownField(desc: DescMessage, name: string): string {
  const meant = name.length > MAX_COMPARED ? undefined : meantBy(desc, name);
  return `is not a field of ${desc.typeName}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
}

function meantBy(desc: DescMessage, name: string): string | undefined {
  const isSnake = name.includes('_');
  const spell = (field: DescField) => (isSnake ? field.name : field.jsonName);
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

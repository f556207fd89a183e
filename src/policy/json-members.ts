// Checks of JSON objects that the limits file and the cases of a policy share.

import type { JsonObject, JsonValue } from '../token/index.ts';

/** Reports that the value at `place` (`limits[0].for`) violates a rule. */
export type Report = (place: string, rule: string) => void;

/** Reports each member of `object` that is not one of `members`. */
export function demandMembers(object: JsonObject, members: readonly string[], place: string, report: Report): void {
  for (const member of Object.keys(object)) {
    if (members.includes(member)) continue;
    report(place, `has the unknown member ${JSON.stringify(member).slice(0, 80)}; known are ${members.join(', ')}`);
  }
}

export function isObject(value: JsonValue): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

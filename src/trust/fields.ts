// Reads the file of an operator: a value of the right form, or a mistake that is reported with its position.

import type { JsonObject, JsonValue } from '../token/index.ts';

/** Receives a mistake: its position, and the rule. */
export type Report = (place: string, rule: string) => void;

/** For names of unknown members, which may be anything. */
const MAX_NAMED = 3;
const MAX_NAME_CHARACTERS = 80;

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function rejectOthers(object: JsonObject, members: readonly string[], place: string, report: Report): void {
  const others = Object.keys(object).filter((member) => !members.includes(member));
  if (others.length === 0) return;
  const names = others.slice(0, MAX_NAMED).map((member) => JSON.stringify(member).slice(0, MAX_NAME_CHARACTERS));
  report(place, `has the unknown member ${names.join(', ')}; known are ${members.join(', ')}`);
}

/** A list that is not empty; otherwise a mistake and an empty list. */
export function readList(object: JsonObject, name: string, place: string, report: Report): readonly JsonValue[] {
  const list = object[name];
  if (Array.isArray(list) && list.length > 0) return list as readonly JsonValue[];
  report(place, `${name} must be a list that is not empty`);
  return [];
}

/** The members of one object. Each reader returns its fallback if the member is missing or wrong. */
export class Fields {
  readonly object: JsonObject;
  readonly place: string;
  readonly #report: Report;

  constructor(object: JsonObject, members: readonly string[], place: string, report: Report) {
    this.object = object;
    this.place = place;
    this.#report = report;
    rejectOthers(object, members, place, report);
  }

  /** Reports a mistake of one member. */
  wrong(member: string, rule: string): void {
    this.#report(`${this.place}.${member}`, rule);
  }

  text(member: string, form: RegExp, rule: string): string | undefined {
    const value = this.object[member];
    if (value === undefined) return undefined;
    if (typeof value === 'string' && form.test(value)) return value;
    this.wrong(member, `must be ${rule}`);
    return undefined;
  }

  flag(member: string): boolean {
    const value = this.object[member];
    if (value !== undefined && typeof value !== 'boolean') this.wrong(member, 'must be true or false');
    return value === true;
  }

  choice<const C extends string>(member: string, choices: readonly C[], fallback: C): C {
    const value = this.object[member];
    if (value === undefined) return fallback;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.wrong(member, `must be ${choices.join(' or ')}`);
    return found ?? fallback;
  }

  /** Each value at most once; undefined if the member is missing. */
  several<const C extends string>(member: string, choices: readonly C[]): readonly C[] | undefined {
    const value = this.object[member];
    if (value === undefined) return undefined;
    const list = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
    const found = choices.filter((choice) => list.includes(choice));
    if (found.length > 0 && found.length === list.length) return found;
    this.wrong(member, `must be a list of ${choices.join(', ')}, each once at most`);
    return undefined;
  }

  whole(member: string, fallback: number, least: number, most: number): number {
    const value = this.object[member];
    if (value === undefined) return fallback;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    this.wrong(member, `must be a whole number from ${least} to ${most}`);
    return fallback;
  }
}

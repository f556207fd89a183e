// What a setting is: the schema of its text, its default, and its description. The parser, `ect serve --help`, the
// README's table and `ect config check` all come from such a table.

import * as v from 'valibot';
import { clauseOf } from './fault.ts';

/** Reads the text of a setting. Its title is the short name of the type, its description the rule that a mistake names. */
export type SettingType<Value = unknown> = v.GenericSchema<string, Value>;

export interface Setting<Value = unknown> {
  readonly type: SettingType<Value>;
  /** The text that counts where none is given. Without one the value is then undefined. */
  readonly default?: string;
  /** What counts instead of a default. */
  readonly unset?: string;
  /** One line for people, in Markdown; the full stop is left out. */
  readonly meaning: string;
  /** If it is present, the value is a secret and is never shown. */
  readonly secret?: Secret<Value>;
}

interface Secret<Value> {
  /** That it is one, and when: `a secret`. */
  readonly says: string;
  /** The setting that names a file with the secret. */
  readonly fileSetting: string;
  /** Whether this value has a secret in it. */
  isIn(value: Value): boolean;
}

/** A table of settings, or a part of it. */
export type Settings = Readonly<Record<string, Setting>>;

/** The values of a table. */
export type ValuesOf<S> = {
  readonly [Name in keyof S]: S[Name] extends { readonly type: SettingType<infer Value> }
    ? S[Name] extends { readonly default: string }
      ? Value
      : Value | undefined
    : never;
};

/** Where a text comes from. `option`: of the command line. */
export type Source = 'environment' | 'file' | 'option' | 'default';

/** A text as it was given. `at`: what its mistakes begin with, `ect.yaml:3: ` for one. */
export interface Given {
  readonly text: string;
  readonly source: Exclude<Source, 'default'>;
  readonly at: string;
}

/** One setting as it counts. */
export interface Effective {
  readonly name: string;
  /** `(set)` for a secret. */
  readonly value: string;
  readonly source: Source;
}

export interface Read<S> {
  /** With the default instead of what breaks its rule. */
  readonly values: ValuesOf<S>;
  readonly effective: readonly Effective[];
  /** The settings that break their rules, with a sentence for each. It has no value in it: that may be a secret in the wrong place. */
  readonly mistakes: ReadonlyMap<string, string>;
}

/** Reads every setting of a table. `given`: the text of a setting; undefined where there is none. */
export function readSettings<const S extends Settings>(table: S, given: (name: string) => Given | undefined): Read<S> {
  const values: Record<string, unknown> = {};
  const effective: Effective[] = [];
  const mistakes = new Map<string, string>();
  for (const [name, setting] of Object.entries<Setting>(table)) {
    const found = given(name);
    const { value, clause } = found === undefined ? NOT_GIVEN : read(setting, found.text);
    values[name] = value ?? (setting.default === undefined ? undefined : read(setting, setting.default).value);
    effective.push(effectiveOf(name, setting, found));
    if (found === undefined) continue;
    if (value === undefined) mistakes.set(name, `${found.at}${name} must be ${ruleOf(setting)}${clause ?? ''}.`);
    else if (found.source === 'file' && setting.secret?.isIn(value)) {
      mistakes.set(
        name,
        `${found.at}${name} has a secret in it: put that into a file, and name it in ${setting.secret.fileSetting}.`,
      );
    }
  }
  return { values: values as ValuesOf<S>, effective, mistakes };
}

export function typeName({ type }: Setting): string {
  return v.getTitle(type) ?? '';
}

/** What counts where a setting is not given, as one would write it. */
export function defaultOf({ default: text, unset }: Setting): string {
  return text ?? unset ?? 'none';
}

interface Reading {
  /** Undefined for what breaks the rule. */
  readonly value: unknown;
  /** Which part of the rule it breaks, to be put after the rule. */
  readonly clause?: string;
}

const NOT_GIVEN: Reading = { value: undefined };

function read({ type }: Setting, text: string): Reading {
  const result = v.safeParse(type, text);
  if (result.success) return { value: result.output };
  const clause = clauseOf(result.issues);
  return { value: undefined, ...(clause === undefined ? {} : { clause: `: ${clause}` }) };
}

function ruleOf({ type }: Setting): string {
  return v.getDescription(type) ?? '';
}

function effectiveOf(name: string, setting: Setting, given: Given | undefined): Effective {
  if (given === undefined) return { name, value: defaultOf(setting), source: 'default' };
  return { name, value: setting.secret === undefined ? given.text : '(set)', source: given.source };
}

/** Rules between settings. */
export interface Rules {
  /** Whether a setting is given, rightly or not. */
  isGiven(name: string): boolean;
  problem(sentence: string): void;
  /** Notes each of these that is given although it changes nothing without `setting`. */
  needs(names: Iterable<string>, setting: string): void;
}

export function rulesOf(isGiven: (name: string) => boolean, problem: (sentence: string) => void): Rules {
  return {
    isGiven,
    problem,
    needs(names, setting) {
      for (const name of names) {
        if (isGiven(name)) problem(`${name} needs ${setting}: set that, or remove ${name}.`);
      }
    },
  };
}

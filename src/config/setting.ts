// A setting: the schema of its text, its default and its description. The parser, `ect serve --help`, the table in README.md and `ect
// config check` use the same table of settings.

import * as v from 'valibot';
import { clauseOf } from './fault.ts';

/** Parses the text of a setting. Its title is the short name of the type; its description is the rule that error messages state. */
export type SettingType<Value = unknown> = v.GenericSchema<string, Value>;

export interface Setting<Value = unknown> {
  readonly type: SettingType<Value>;
  /** The text that is used if the setting is not given. Without a default the value is then undefined. */
  readonly default?: string;
  /** Describes what applies if the setting is not given and has no default. */
  readonly unset?: string;
  /** One line of Markdown for users, without a full stop. */
  readonly meaning: string;
  /** If present, the value is a secret and is never shown. */
  readonly secret?: Secret<Value>;
}

interface Secret<Value> {
  /** When the value is a secret: `a secret`. */
  readonly says: string;
  /** The setting that names a file with the secret. */
  readonly fileSetting: string;
  /** Whether this value contains a secret. */
  isIn(value: Value): boolean;
}

/** A table of settings, or a part of one. */
export type Settings = Readonly<Record<string, Setting>>;

/** The values of a table. */
export type ValuesOf<S> = {
  readonly [Name in keyof S]: S[Name] extends { readonly type: SettingType<infer Value> }
    ? S[Name] extends { readonly default: string }
      ? Value
      : Value | undefined
    : never;
};

/** Where a text comes from. `option`: an option of the command line. */
export type Source = 'environment' | 'file' | 'option' | 'default';

/** A text as it was given. `at` is the prefix of its error messages, for example `ect.yaml:3: `. */
export interface Given {
  readonly text: string;
  readonly source: Exclude<Source, 'default'>;
  readonly at: string;
}

/** One setting with its effective value. */
export interface Effective {
  readonly name: string;
  /** The text of the value; `(set)` for a secret. */
  readonly value: string;
  readonly source: Source;
}

export interface Read<S> {
  /** The values, with the defaults of invalid settings. */
  readonly values: ValuesOf<S>;
  readonly effective: readonly Effective[];
  /** The invalid settings, with a sentence for each. The sentence does not contain the value, which may be a misplaced secret. */
  readonly mistakes: ReadonlyMap<string, string>;
}

/** Reads all settings of a table. `given` returns the text of a setting; undefined if it is not given. */
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

/** Returns what applies if a setting is not given, in the form in which one would write it. */
export function defaultOf({ default: text, unset }: Setting): string {
  return text ?? unset ?? 'none';
}

interface Reading {
  /** Undefined if the text is invalid. */
  readonly value: unknown;
  /** Which part of the rule the text violates; it is appended to the rule. */
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

/** Checks rules between settings. */
export interface Rules {
  /** Whether a setting is given, valid or not. */
  isGiven(name: string): boolean;
  problem(sentence: string): void;
  /** Reports each of `names` that is given although it has no effect without `setting`. */
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

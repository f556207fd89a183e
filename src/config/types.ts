// The types of settings. A text must match its type completely; nothing is guessed.

import { isIPv4, isIPv6 } from 'node:net';
import * as v from 'valibot';
import { Fault } from './fault.ts';
import type { SettingType } from './setting.ts';

/** `title` is the name of the type in tables of settings; `rule` says what a value must be. */
function typed<Value>(title: string, rule: string, schema: SettingType<Value>): SettingType<Value> {
  return v.pipe(schema, v.title(title), v.description(rule));
}

/** Returns a type whose texts are parsed by a function. The function returns a fault, or undefined, for an invalid text. */
export function parsed<Value>(
  title: string,
  rule: string,
  parse: (text: string) => Value | Fault | undefined,
): SettingType<Value> {
  const schema = v.pipe(
    v.string(),
    v.rawTransform<string, Value>(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined && !(value instanceof Fault)) return value;
      addIssue({ message: value instanceof Fault ? value.clause : '' });
      return NEVER;
    }),
  );
  return typed(title, rule, schema);
}

/** Returns the type of texts that match an expression or a predicate. */
export function text(title: string, rule: string, holds: RegExp | ((value: string) => boolean)): SettingType<string> {
  const isRight = holds instanceof RegExp ? (value: string) => holds.test(value) : holds;
  return typed(title, rule, v.pipe(v.string(), v.check(isRight)));
}

export function whole(least: number, most: number): SettingType<number> {
  const number = v.pipe(v.string(), v.regex(/^[0-9]{1,9}$/), v.transform(Number), v.minValue(least), v.maxValue(most));
  return typed(`${least} to ${most}`, `a whole number from ${least} to ${most}`, number);
}

/** Returns the type of whole numbers, or one word. */
export function wholeOr<const Word extends string>(
  word: Word,
  least: number,
  most: number,
): SettingType<number | Word> {
  const title = `${word}, ${least} to ${most}`;
  return typed(
    title,
    `${word} or a whole number from ${least} to ${most}`,
    v.union([v.literal(word), whole(least, most)]),
  );
}

export function choice<const Choice extends string>(...choices: readonly Choice[]): SettingType<Choice> {
  return typed(choices.join(', '), choices.join(' or '), v.picklist(choices));
}

/** Returns the type of booleans: one word for true and one for false. */
export function either<const Yes extends string, const No extends string>(yes: Yes, no: No): SettingType<boolean> {
  return typed(
    `${yes}, ${no}`,
    `${yes} or ${no}`,
    v.pipe(
      v.picklist([yes, no]),
      v.transform((word) => word === yes),
    ),
  );
}

/** Returns the type of lists, with entries separated by commas. Blanks around an entry are removed. */
export function list(
  title: string,
  rule: string,
  holds: RegExp | ((entry: string) => boolean),
): SettingType<readonly string[]> {
  return typed(title, rule, v.pipe(v.string(), v.transform(entriesOf), v.array(text(title, rule, holds))));
}

/** Returns the type of lists with some of the choices, each at most once. The value has them in the order of `choices`. */
export function someOf<const Choice extends string>(...choices: readonly Choice[]): SettingType<readonly Choice[]> {
  const sorted = v.pipe(
    v.string(),
    v.transform(entriesOf),
    v.array(v.picklist(choices)),
    v.check((found) => new Set(found).size === found.length),
    v.transform((found) => choices.filter((each) => found.includes(each))),
  );
  return typed(`list of ${choices.join(', ')}`, `a list with commas of ${choices.join(', ')}`, sorted);
}

/** Rejects PEM text in place of a path, because the error about the missing file would print a private key. */
export function isPath(value: string): boolean {
  return !/\p{Cc}|-----BEGIN|^\s*\{/u.test(value);
}

export const path = text('path', 'the path of a file or directory, not its content', isPath);

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Parses `host:port`, with IPv6 addresses in brackets. `port` is the default, if there is one. */
export function readAddress(value: string, { least, port }: { least: number; port?: number }): Address | undefined {
  const [, ipv6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(value) ?? [];
  const host = ipv6 === undefined ? name : isIPv6(ipv6) ? ipv6 : undefined;
  const number = digits === undefined ? port : Number(digits);
  if (host === undefined || number === undefined || number < least || number > 65_535) return undefined;
  return { host, port: number };
}

/** Returns which part of `host:port` is invalid, for a text that `readAddress` rejects. */
export function addressFault(value: string): Fault {
  const [, host = '', port] = /^(.*?)(?::([^:\]]*))?$/su.exec(value) ?? [];
  if (value.includes('://')) return new Fault('it is a URL: leave out the scheme and the slashes');
  if (/^[^[\]]*:[^[\]]*:[^[\]]*$/.test(value)) return new Fault('an IPv6 address needs brackets, as in [::1]:8080');
  if (port === undefined && /^[0-9]{1,5}$/.test(host)) return new Fault(NO_HOST);
  if (port === undefined || port === '') return new Fault('the port is missing');
  if (host === '') return new Fault(NO_HOST);
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) return new Fault('the port is not a number from 0 to 65535');
  if (/[[\]]/.test(host)) return new Fault('only an IPv6 address is written in brackets');
  return new Fault('the host is neither a name nor an address');
}

const NO_HOST = 'the host is missing, as in 127.0.0.1:8080';

/** Whether a host is a loopback address. Names are not resolved, so only `localhost` and IP addresses count. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

export function entriesOf(value: string): readonly string[] {
  return value.split(',').map((entry) => entry.trim());
}

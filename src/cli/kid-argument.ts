// A key id as an argument. A key id is base64url, so one in 64 begins with `-`, as an option does.

import type { Command } from 'commander';

/** A JWK thumbprint (RFC 7638) that looks like an option. No option has this length. */
const LIKE_AN_OPTION = /^-[\w-]{42}$/;

/** Adds the argument `<kid>`. A word with the form of a key id is read as one, unless the option before it needs a value. */
export function withKid(command: Command): Command {
  const parseOptions = command.parseOptions.bind(command);
  command.parseOptions = (args) => {
    const end = args.includes('--') ? args.indexOf('--') : args.length;
    const takesValue = (text?: string) => command.options.some(({ required, long }) => required && long === text);
    const isKid = (text: string, at: number) => at < end && LIKE_AN_OPTION.test(text) && !takesValue(args[at - 1]);
    const kids = args.filter(isKid);
    if (kids.length === 0) return parseOptions(args);
    const others = args.slice(0, end).filter((text, at) => !isKid(text, at));
    return parseOptions([...others, '--', ...kids, ...args.slice(end + 1)]);
  };
  return command.argument('<kid>', 'key id');
}

// The commands of the program, as its help lists them.

import { ect } from './run.ts';

/** Every command that does something, by the words that lead to it. */
export async function leaves(words: readonly string[] = []): Promise<readonly (readonly string[])[]> {
  const names = await subcommands(words);
  if (names === undefined) return [words];
  return (await Promise.all(names.map((name) => leaves([...words, name])))).flat();
}

/** Every command that only has other commands. */
export async function groups(): Promise<readonly string[]> {
  const names = (await subcommands([])) ?? [];
  const isGroup = await Promise.all(names.map(async (name) => (await subcommands([name])) !== undefined));
  return names.filter((_, at) => isGroup[at]);
}

async function subcommands(words: readonly string[]): Promise<readonly string[] | undefined> {
  const { out } = await ect(['help', ...words]);
  const section = /\nCommands:\n(.*?)(?:\n\n|$)/s.exec(out)?.[1];
  if (section === undefined) return undefined;
  return [...section.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
}

// The configuration file: settings under the names that they have in the environment, as a mapping of YAML. Every scalar is the
// text that is written there, so that `00`, `yes` and `1e3` mean what they mean in the environment.

import type { Document, LineCounter, Node } from 'yaml';
import type { Given } from './setting.ts';
import { SETTINGS } from './table.ts';
import { unknownInFile } from './unknown-setting.ts';

export interface ConfigFile {
  /** By name; what is empty counts as unset. */
  readonly settings: ReadonlyMap<string, Given>;
  /** What is wrong with the file itself. */
  readonly problems: readonly string[];
}

const NAMES = Object.keys(SETTINGS);

/** `path`: what mistakes call the file. They name lines and keys, and show nothing else of it. */
export async function readConfigFile(path: string, text: string): Promise<ConfigFile> {
  // Only where there is a file: it takes longer to load than all settings to be read.
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  // Plain texts and mappings: no types, no tags, no merge keys.
  const document = yaml.parseDocument(text, {
    schema: 'failsafe',
    merge: false,
    prettyErrors: false,
    lineCounter: lines,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map(
      ({ code, pos }) => `${path}:${lines.linePos(pos[0]).line}: ${FAULTS[code] ?? 'this is not YAML.'}`,
    );
    return { settings: new Map(), problems: [...new Set(problems)] };
  }
  return settingsOf(path, document, lines, yaml);
}

/** The faults that YAML has a code for, in words without a text of the file. */
const FAULTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key is there twice.',
  MULTIPLE_DOCS: 'a second document begins here; the file must have one.',
  TAB_AS_INDENT: 'a tab indents this line: YAML takes blanks alone.',
  TAG_RESOLVE_FAILED: 'tags (`!`) are not allowed.',
};

function settingsOf(
  path: string,
  { contents }: Document,
  lines: LineCounter,
  { isAlias, isMap, isScalar }: Pick<typeof import('yaml'), 'isAlias' | 'isMap' | 'isScalar'>,
): ConfigFile {
  const settings = new Map<string, Given>();
  const problems: string[] = [];
  if (contents === null || (isScalar(contents) && contents.value === '')) return { settings, problems };
  if (!isMap<Node, Node | null>(contents))
    return { settings, problems: [`${path} must be a mapping: ECT_LISTEN: 127.0.0.1:8080`] };
  for (const { key, value } of contents.items) {
    const at = `${path}:${lines.linePos(key.range?.[0] ?? 0).line}: `;
    const name = isScalar(key) ? String(key.value) : '';
    if (name === 'ECT_CONFIG') problems.push(`${at}ECT_CONFIG is for the environment: a file names no other.`);
    else if (!NAMES.includes(name)) problems.push(at + unknownInFile(name, NAMES));
    else if (isAlias(value)) problems.push(`${at}${name} is an alias (\`*\`), which is not allowed.`);
    else if (value !== null && !isScalar(value))
      problems.push(`${at}${name} must be a text; entries of a list have commas between them.`);
    else if (value !== null && value.value !== '')
      settings.set(name, { text: String(value.value), source: 'file', at });
  }
  return { settings, problems };
}

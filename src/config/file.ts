// The configuration file: a YAML mapping of settings, with the names of the environment variables. Every scalar is read as text, so that
// `00`, `yes` and `1e3` have the same meaning as in the environment.

import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { Given } from './setting.ts';
import { SETTINGS } from './table.ts';
import { unknownInFile } from './unknown-setting.ts';

export interface ConfigFile {
  /** The settings by name. An empty value counts as unset. */
  readonly settings: ReadonlyMap<string, Given>;
  /** The faults of the file itself. */
  readonly problems: readonly string[];
}

const NAMES = Object.keys(SETTINGS);

/** The faults for which YAML has a code, in words that do not quote the file. */
const FAULTS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'the file must have one document; a second one begins here.',
  TAB_AS_INDENT: 'this line is indented with a tab: YAML allows only spaces.',
};

type Mapping = YAMLMap<Node, Node | null>;
type Place = (at: number | undefined) => string;

/** Reads the file. `path` is the name of the file in messages, which name lines and keys, and quote nothing else. */
export function readConfigFile(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const place: Place = (at = 0) => `${path}:${lines.linePos(at).line}: `;
  // Duplicate keys are reported below with the other faults. The parser would stop at them.
  const options = { schema: 'failsafe', uniqueKeys: false, prettyErrors: false, lineCounter: lines } as const;
  const { contents, errors } = parseDocument(text, options);
  if (errors.length > 0) {
    const problems = errors.map(({ code, pos: [at] }) => place(at) + (FAULTS[code] ?? 'this is not YAML.'));
    return { settings: new Map(), problems: [...new Set(problems)] };
  }
  if (contents === null) return { settings: new Map(), problems: [] };
  if (isMap(contents)) return settingsOf(contents as Mapping, place);
  const problem = `${path} must be a mapping of settings, such as \`ECT_LISTEN: 127.0.0.1:8080\`.`;
  return { settings: new Map(), problems: [problem] };
}

function settingsOf({ items }: Mapping, place: Place): ConfigFile {
  const settings = new Map<string, Given>();
  const problems: string[] = [];
  const before = new Set<string>();
  for (const item of items) {
    const at = place(item.key.range?.[0]);
    const name = isScalar(item.key) ? String(item.key.value) : '';
    const fault = faultOf(name, item);
    const isRepeated = before.has(name);
    before.add(name);
    if (fault !== undefined) problems.push(at + fault);
    if (isRepeated && NAMES.includes(name)) problems.push(`${at}${name} occurs twice: remove one.`);
    if (fault !== undefined || isRepeated) continue;
    if (isScalar(item.value) && item.value.value !== '') {
      settings.set(name, { text: String(item.value.value), source: 'file', at });
    }
  }
  return { settings, problems };
}

/** Only plain scalars are allowed: with an alias, a tag or a merge key the value would differ from what a reader of the file sees. */
function faultOf(name: string, { value }: Pair<Node, Node | null>): string | undefined {
  if (name === 'ECT_CONFIG') return 'ECT_CONFIG is for the environment: a file names no other.';
  if (!NAMES.includes(name)) return unknownInFile(name, NAMES);
  if (isAlias(value)) return `${name} is an alias (\`*\`), which is not allowed.`;
  if (isCollection(value)) return `${name} must be a text; entries of a list are separated by commas.`;
  return value?.tag === undefined ? undefined : `${name} has a tag (\`!\`), which is not allowed.`;
}

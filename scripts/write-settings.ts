// Writes the table of settings in README.md, from the table that the service reads them by. With --check it writes nothing, and
// fails when the page is not what it would write.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SettingRow, settingGroups } from '../src/config/index.ts';

const BEGIN = '<!-- settings: `npm run generate:settings` writes this from src/config -->\n';
const END = '<!-- end of settings -->\n';

const path = join(import.meta.dirname, '../README.md');
const page = readFileSync(path, 'utf8');
const [before, rest] = page.split(BEGIN);
const [, after] = rest?.split(END) ?? [];
if (before === undefined || after === undefined) throw new Error(`${path} has no place for the settings`);
const written = `${before}${BEGIN}\n${tables()}\n${END}${after}`;
if (!process.argv.includes('--check')) {
  writeFileSync(path, written);
} else if (written !== page) {
  console.error(`${path} is stale: run \`npm run generate:settings\` and commit the result.`);
  process.exitCode = 1;
}

function tables(): string {
  const head = '| setting | value | default | meaning |\n|---|---|---|---|';
  return settingGroups()
    .map(({ heading, rows }) => `**${heading}**\n\n${head}\n${rows.map(rowOf).join('\n')}\n`)
    .join('\n');
}

function rowOf({ name, type, default: fallback, hasDefault, meaning }: SettingRow): string {
  return `| \`${name}\` | ${type} | ${hasDefault ? `\`${fallback}\`` : fallback} | ${meaning} |`;
}

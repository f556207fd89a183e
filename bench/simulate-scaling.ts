// Prints the tables of docs/scaling.md. With `--write` it puts them into that page.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { scalingTables, withTables } from './scaling-tables.ts';

const PAGE = fileURLToPath(new URL('../docs/scaling.md', import.meta.url));

const tables = scalingTables();
if (process.argv.includes('--write')) await writeFile(PAGE, withTables(await readFile(PAGE, 'utf8'), tables));
else for (const [name, rows] of Object.entries(tables)) process.stdout.write(`${name}\n\n${rows}\n\n`);

import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { examineConfig, readConfig, settingGroups } from '../../src/config/index.ts';
import { SETTINGS } from '../../src/config/table.ts';

const rows = settingGroups().flatMap((group) => group.rows);

test('every setting is shown once, under a heading, with a type and a meaning', () => {
  expect(rows.map(({ name }) => name).toSorted()).toEqual(Object.keys(SETTINGS).toSorted());
  for (const { name, type, meaning } of rows) expect([name, type, meaning], name).not.toContain('');
});

test('a default is a text that its own setting takes, and that changes nothing', () => {
  for (const { name, default: text, hasDefault } of rows) {
    if (!hasDefault) continue;
    const { config, wrong } = examineConfig({ [name]: text });
    expect(wrong, name).toEqual(new Set());
    expect(config, name).toEqual(readConfig({}));
  }
});

test('what is a secret names a setting of a file for it', () => {
  for (const setting of Object.values(SETTINGS)) {
    if ('secret' in setting) expect(Object.keys(SETTINGS)).toContain(setting.secret.fileSetting);
  }
});

test('the meanings lead to headings that there are', () => {
  const links = rows.flatMap(({ meaning }) => [...meaning.matchAll(/\]\(([^)#]+)(?:#([^)]+))?\)/g)]);
  expect(links.length).toBeGreaterThan(5);
  for (const [link, page = '', anchor] of links) {
    const path = new URL(`../../${page}`, import.meta.url);
    expect(existsSync(path), link).toBe(true);
    if (anchor === undefined) continue;
    const headings = [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    );
    expect(headings, link).toContain(anchor);
  }
});

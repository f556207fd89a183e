// The narrator: short lines, colours on a terminal only, and `expect`, which ends the story where it goes wrong.

import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function chapter(title: string): void {
  console.log(`\n${paint('bold', title)}`);
}

export function tell(line: string): void {
  console.log(`  ${line}`);
}

export function tellGood(line: string): void {
  console.log(`  ${paint('green', '✓')} ${line}`);
}

export function tellBad(line: string): void {
  console.error(`  ${paint('red', '✗')} ${line}`);
}

/** The first characters of an id, enough to tell the tasks of the story apart. */
export function short(id: string): string {
  return id.slice(0, 8);
}

/** Something came out differently from what the story promises. */
class Unexpected extends Error {
  override readonly name = 'Unexpected';
}

/** Throws Unexpected unless `actual` is exactly `wanted`. */
export function expect(what: string, actual: unknown, wanted: unknown): void {
  if (actual !== wanted) throw new Unexpected(`${what}: expected ${String(wanted)}, got ${String(actual)}`);
}

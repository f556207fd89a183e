// Writes the drawing of a graph as Mermaid or as DOT. Time runs from predecessor to successor.
//
// `jti` and `exec_act` are attacker-controlled. They never become syntax: in labels every character but ASCII letters,
// digits, blank, `_`, `.` and `-` is written as the number of its code point, which both languages turn back into text.

import { createYielder, type Yielder } from '../concurrency/yielder.ts';
import { drawGraph } from './drawing.ts';
import type { DagReport } from './report.ts';

const MAX_LINE_CHARACTERS = 64;

/**
 * A Mermaid flowchart. Tasks that a violation names are red, predecessors that were not found are dashed, tainted tasks
 * are filled.
 */
export async function renderMermaid(report: DagReport, yielder: Yielder = createYielder()): Promise<string> {
  const { nodes, links } = await drawGraph(report, yielder);
  return [
    'flowchart TD',
    ...nodes.map(({ id, lines, look }) => `  ${id}["${writeLabel(lines, '#', '<br/>')}"]:::${look}`),
    ...links.map(({ from, to, isMissing }) => `  ${from} ${isMissing ? '-.->' : '-->'} ${to}`),
    ...nodes.filter(({ isTainted }) => isTainted).map(({ id }) => `  class ${id} tainted`),
    '  classDef sound stroke:green',
    '  classDef broken stroke:red,stroke-width:3px',
    '  classDef missing stroke:gray,stroke-dasharray:4',
    '  classDef note stroke:none',
    '  classDef tainted fill:orange',
    '',
  ].join('\n');
}

const DOT_LOOKS = {
  sound: 'color=green',
  broken: 'color=red, penwidth=3',
  missing: 'color=gray, style=dashed',
  note: 'shape=plaintext',
} as const;

/** A Graphviz digraph, with the same marks. */
export async function renderDot(report: DagReport, yielder: Yielder = createYielder()): Promise<string> {
  const { nodes, links } = await drawGraph(report, yielder);
  return [
    'digraph tasks {',
    '  node [shape=box];',
    ...nodes.map(({ id, lines, look, isTainted }) => {
      const fill = isTainted ? ', style=filled, fillcolor=orange' : '';
      return `  ${id} [label="${writeLabel(lines, '&#', '\\n')}", ${DOT_LOOKS[look]}${fill}];`;
    }),
    ...links.map(({ from, to, isMissing }) => `  ${from} -> ${to}${isMissing ? ' [style=dashed]' : ''};`),
    '}',
    '',
  ].join('\n');
}

function writeLabel(lines: readonly string[], numberSign: string, lineBreak: string): string {
  return lines.map((line) => escapeText(shorten(line), numberSign)).join(lineBreak);
}

function shorten(line: string): string {
  const characters = Array.from(line);
  return characters.length > MAX_LINE_CHARACTERS ? `${characters.slice(0, MAX_LINE_CHARACTERS).join('')}...` : line;
}

/** Control, format and lone surrogate characters, which could reorder or hide what is read, become U+FFFD. */
function escapeText(text: string, numberSign: string): string {
  return text
    .replace(/\p{C}/gu, '\uFFFD')
    .replace(/[^A-Za-z0-9 _.-]/gu, (character) => `${numberSign}${character.codePointAt(0)};`);
}

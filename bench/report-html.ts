// The report as one page that needs nothing else: for each figure a bar a side with a dot a round, and its goals.

import { type Figure, holds, type Report, type Side } from './report.ts';
import { limitOf, measured } from './report-table.ts';
import { mediansOf, perCpuSecond } from './signature-batches.ts';

const WIDTH = 860;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 250;
const ROW_HEIGHT = 34;
const BAR_HEIGHT = 18;
const MB = 1e6;

const STYLE = `
  :root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --ours: #2f6fdb; --rival: #9aa4b2; --dot: #1b1f24; --good: #1a7f37; --bad: #c62828; --line: #d5dae1; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --paper: #14171c; --ours: #6aa1ff; --rival: #5d6775; --dot: #e6eaf0; --good: #4cc26a; --bad: #ff7b72; --line: #343b45; } }
  body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 900px; margin: 2rem auto; padding: 0 1rem; }
  h2 { margin: 2.2rem 0 .4rem; font-size: 1.15rem; }
  svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 13px; }
  .ours { fill: var(--ours); } .rival { fill: var(--rival); } .dot { fill: var(--dot); opacity: .55; }
  table { border-collapse: collapse; } td { padding: .15rem 1.2rem .15rem 0; border-top: 1px solid var(--line); }
  .good { color: var(--good); } .bad { color: var(--bad); } .note { opacity: .75; margin: .3rem 0; }`;

/** A whole HTML document. */
export function renderHtml(report: Report): string {
  const { machine, mode, startedAt, figures } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ECT authority: benchmark</title>
<style>${STYLE}
</style>
</head>
<body>
<h1>ECT authority: benchmark</h1>
<p>${escapeText(startedAt)}, ${mode} run. Bars are medians per second of server CPU time, dots are single rounds.</p>
<p class="note">${escapeText(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, ${machine.h2load}; load average ${machine.loadBefore.toFixed(2)} before, ${machine.loadAfter.toFixed(2)} after`)}</p>
${figures.map(renderFigure).join('\n')}
</body>
</html>
`;
}

function renderFigure(figure: Figure): string {
  const { title, unit, sides, goals, notes } = figure;
  const rows = goals.map((goal) => {
    const verdict = holds(goal) ? '<td class="good">holds</td>' : '<td class="bad">missed</td>';
    const text = goal.against === undefined ? goal.text : `${goal.text} (against ${goal.against})`;
    return `<tr><td>${escapeText(text)}</td><td>${measured(goal)}</td><td>${limitOf(goal)}</td>${verdict}</tr>`;
  });
  return [
    `<h2>${escapeText(title)}${unit === 'tokens' ? ', in tokens' : ''}</h2>`,
    sides.length === 0 ? '' : renderBars(sides),
    rows.length === 0 ? '' : `<table>${rows.join('')}</table>`,
    ...notes.map((note) => `<p class="note">${escapeText(note)}</p>`),
  ].join('\n');
}

function renderBars(sides: readonly Side[]): string {
  const most = Math.max(...sides.flatMap(({ rounds }) => rounds.map(perCpuSecond)));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const bars = sides.map((side, place) => renderBar(side, place * ROW_HEIGHT, scale));
  return `<svg viewBox="0 0 ${WIDTH} ${sides.length * ROW_HEIGHT}" role="img">${bars.join('')}</svg>`;
}

function renderBar(side: Side, top: number, scale: number): string {
  const { perCpuSecond: speed, p50Ms, p99Ms, rssBytes } = mediansOf(side);
  const middle = top + ROW_HEIGHT / 2;
  const x = (value: number) => (LABEL_WIDTH + value * scale).toFixed(1);
  const dots = side.rounds.map((round) => `<circle class="dot" cx="${x(perCpuSecond(round))}" cy="${middle}" r="3"/>`);
  const latency = Number.isNaN(p50Ms) ? '' : `, p50 ${p50Ms.toFixed(1)} p99 ${p99Ms.toFixed(1)} ms`;
  const words = `${Math.round(speed).toLocaleString('en')}/s${latency}, ${Math.round(rssBytes / MB)} MB`;
  return [
    `<text x="0" y="${middle + 4}">${escapeText(side.name)}</text>`,
    `<rect class="${side.name.startsWith('ours') ? 'ours' : 'rival'}" x="${LABEL_WIDTH}" y="${middle - BAR_HEIGHT / 2}" width="${(speed * scale).toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
    ...dots,
    `<text x="${WIDTH - VALUE_WIDTH + 12}" y="${middle + 4}">${escapeText(words)}</text>`,
  ].join('');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

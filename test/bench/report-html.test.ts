import { describe, expect, test } from 'vitest';
import { renderHtml } from '../../bench/report-html.ts';
import { REPORT } from './example-report.ts';

describe('the page', () => {
  const page = renderHtml(REPORT);

  test('needs nothing but itself', () => {
    expect(page).not.toMatch(/<script|<link|<img|url\(|src=|href=|@import/);
  });

  test('draws a bar a side, in proportion, and a dot a round', () => {
    const widths = [...page.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)].map(([, side, width]) => [
      side,
      Number(width),
    ]);
    expect(widths.map(([side]) => side)).toEqual(['rival', 'ours']);
    expect(Number(widths[1]![1]) / Number(widths[0]![1])).toBeCloseTo(1.25, 2);
    expect(page.match(/<circle/g)).toHaveLength(2);
  });

  test('shows each goal with its limit and whether it holds', () => {
    expect(page).toContain('<td>1.25 ×</td><td>≥ 1.1 ×</td><td class="good">holds</td>');
    expect(page).toContain('<td>350 ms</td><td>≤ 50 ms</td><td class="bad">missed</td>');
  });

  test('escapes text', () => {
    expect(page).toContain('a note with &lt;angle&gt; &amp; brackets');
    expect(page).not.toContain('<angle>');
  });
});

import { describe, expect, test } from 'vitest';
import { MAX_DRAWN_LINKS, MAX_DRAWN_TASKS } from '../../src/dag/drawing.ts';
import {
  bundleAncestry,
  DEFAULT_DAG_POLICY,
  examineTask,
  examineWorkflow,
  renderDot,
  renderMermaid,
  taskMark,
} from '../../src/dag/index.ts';
import { chain, layers, marking, task } from './graphs.ts';

const review = [
  task('b', ['a', 'x'], { exec_act: 'review_spec', iat: 2000 }),
  task('a', [], { exec_act: 'write' }),
  task('d', ['a', 'x'], { iat: 3000 }),
  task('z', ['a'], { iat: 10, exec_act: 'too early' }),
];

describe('Mermaid', () => {
  test('shows tasks by time, missing predecessors dashed and violations red', async () => {
    expect(await renderMermaid(await examineWorkflow(review))).toBe(`flowchart TD
  t0["too early<br/>z"]:::broken
  t1["write<br/>a"]:::broken
  t2["review_spec<br/>b"]:::sound
  t3["d"]:::sound
  m0["not found<br/>x"]:::missing
  t1 --> t0
  t1 --> t2
  m0 -.-> t2
  t1 --> t3
  m0 -.-> t3
  classDef sound stroke:green
  classDef broken stroke:red,stroke-width:3px
  classDef missing stroke:gray,stroke-dasharray:4
  classDef note stroke:none
  classDef tainted fill:orange
`);
  });
});

describe('DOT', () => {
  test('shows the same', async () => {
    expect(await renderDot(await examineWorkflow(review))).toBe(`digraph tasks {
  node [shape=box];
  t0 [label="too early\\nz", color=red, penwidth=3];
  t1 [label="write\\na", color=red, penwidth=3];
  t2 [label="review_spec\\nb", color=green];
  t3 [label="d", color=green];
  m0 [label="not found\\nx", color=gray, style=dashed];
  t1 -> t0;
  t1 -> t2;
  m0 -> t2 [style=dashed];
  t1 -> t3;
  m0 -> t3 [style=dashed];
}
`);
  });
});

describe('tainted tasks', () => {
  test('are filled and say so, beside what else they are', async () => {
    const marks = marking([taskMark('', 'a')]);
    const tasks = [task('a'), task('b', ['a'], { iat: 2000 }), task('late', ['b']), task('free', [], { iat: 3000 })];
    const report = await examineWorkflow(tasks, undefined, { marks });
    const mermaid = (await renderMermaid(report)).split('\n');
    expect(mermaid.slice(1, 5)).toEqual([
      '  t0["a<br/>tainted"]:::sound',
      '  t1["late<br/>tainted"]:::broken',
      '  t2["b<br/>tainted"]:::broken',
      '  t3["free"]:::sound',
    ]);
    expect(mermaid.filter((line) => line.endsWith(' tainted'))).toEqual(
      ['t0', 't1', 't2'].map((id) => `  class ${id} tainted`),
    );
    const dot = (await renderDot(report)).split('\n');
    expect(dot[2]).toBe('  t0 [label="a\\ntainted", color=green, style=filled, fillcolor=orange];');
    expect(dot[3]).toBe('  t1 [label="late\\ntainted", color=red, penwidth=3, style=filled, fillcolor=orange];');
    expect(dot[5]).toBe('  t3 [label="free", color=green];');
  });

  test('of another workflow with the same jti are distinguished', async () => {
    const tasks = [task('a', [], { wid: 'w1' }), task('a', [], { wid: 'w2' })];
    const report = await examineWorkflow(tasks, undefined, { marks: marking([taskMark('w2', 'a')]) });
    expect((await renderDot(report)).match(/tainted/g)).toHaveLength(1);
    expect(await renderDot(report)).toContain('t1 [label="a\\ntainted"');
  });
});

describe('both', () => {
  test('a drawing does not depend on the order in which tasks were found', async () => {
    const tasks = [task('a', [], { wid: 'w1' }), task('a', ['c0'], { wid: 'w2' }), ...chain(20)];
    const backwards = await examineWorkflow(tasks.toReversed());
    expect(await renderMermaid(backwards)).toBe(await renderMermaid(await examineWorkflow(tasks)));
    expect(await renderDot(backwards)).toBe(await renderDot(await examineWorkflow(tasks)));
  });

  test('a link that was not followed because of the limit is not drawn as missing', async () => {
    const policy = { ...DEFAULT_DAG_POLICY, maxAncestors: 1 };
    const report = await examineTask(task('own', ['c3']), bundleAncestry(chain(4)), { exists: false }, { policy });
    expect(report.violations).toMatchObject([{ reason: 'DAG_TOO_DEEP' }]);
    expect(await renderMermaid(report)).not.toContain('not found');
  });

  test('at most 1,000 tasks are drawn, and a note says that there are more', async () => {
    expect(await renderMermaid(await examineWorkflow(chain(MAX_DRAWN_TASKS)))).not.toContain('note[');
    const drawn = await renderMermaid(await examineWorkflow(chain(MAX_DRAWN_TASKS + 1)));
    expect(drawn.match(/:::sound/g)).toHaveLength(MAX_DRAWN_TASKS);
    expect(drawn).toContain('note["The graph is larger than this drawing."]:::note');
  });

  test('at most 5,000 links are drawn, and a note says that there are more', async () => {
    const whole = await renderDot(await examineWorkflow(layers(51, 10)));
    expect(whole.match(/->/g)).toHaveLength(MAX_DRAWN_LINKS);
    expect(whole).not.toContain('note [');
    const part = await renderDot(await examineWorkflow(layers(52, 10)));
    expect(part.match(/->/g)).toHaveLength(MAX_DRAWN_LINKS);
    expect(part).toContain('note [label="The graph is larger than this drawing.", shape=plaintext];');
  });
});

describe('text of an attacker stays text', () => {
  const hostile = [
    '"]; click t0 "javascript:alert(1)"',
    'x"]\n  click t0 call alert()\n  t9["y',
    '<script>alert(1)</script>',
    '%%{init: {"securityLevel": "loose"}}%%',
    '---\nconfig:\n  securityLevel: loose\n---',
    '", URL="javascript:alert(1)", label="',
    '\\" ]; evil -> t0; x [label="',
    '\\N \\G \\l ending in a backslash\\',
    '&quot;&#34;#quot;#34;',
    '<<table><tr><td>html</td></tr></table>>',
    '`markdown` **bold** [a](javascript:1)',
    'style:x#y; classDef broken fill:#fff;',
    'subgraph end }',
    '\u202Egnp.exe\u0000\u2028\u2029\r\t',
    'a --> b -.-> c -- text --- d == e ==> f',
    't0 -> t1; t1 -- t2 [dir=back]',
    '\u2066left\u2069 \u200Bhidden\uFEFF \u061C\u180E',
    '{{hexagon}} ((circle)) >flag] [/slant/] {rhombus} |pipe|',
    "it's ' \" ` \u201C \u2018",
    'class t0 tainted',
  ];
  const safeText = /^(?:[A-Za-z0-9 _.-]|#[0-9]+;|<br\/>)*$/;
  const safeDotText = /^(?:[A-Za-z0-9 _.-]|&#[0-9]+;|\\n)*$/;

  test.each(hostile)('%j', async (text) => {
    const report = await examineWorkflow([task(text, [], { exec_act: text }), task('b', [`${text} missing`])]);

    const mermaid = (await renderMermaid(report)).split('\n');
    const labels = mermaid.slice(1, 4).map((line) => /^ {2}[tm][0-9]\["(.*)"\]:::(?:sound|missing)$/.exec(line)?.[1]);
    for (const label of labels) expect(label).toMatch(safeText);
    expect(mermaid).toHaveLength(11);

    const dot = (await renderDot(report)).split('\n');
    const quoted = dot.slice(2, 5).map((line) => /^ {2}[tm][0-9] \[label="(.*)", color=[a-z, =]+\];$/.exec(line)?.[1]);
    for (const label of quoted) expect(label).toMatch(safeDotText);
    expect(dot).toHaveLength(8);
  });

  test('what is escaped reads as it was written', async () => {
    const report = await examineWorkflow([task('a', [], { exec_act: 'Prüfe "<b>" \u{1F600}' })]);
    const back = (drawing: string, sign: RegExp) =>
      drawing.replace(sign, (_, code) => String.fromCodePoint(Number(code)));
    expect(back(await renderMermaid(report), /#(\d+);/g)).toContain('["Prüfe "<b>" \u{1F600}<br/>a"]');
    expect(back(await renderDot(report), /&#(\d+);/g)).toContain('"Prüfe "<b>" \u{1F600}\\na"');
  });

  test('characters that hide or reorder text are replaced', async () => {
    const drawn = await renderMermaid(await examineWorkflow([task('a\u202Eb\u0007c\uD800d')]));
    expect(drawn).toContain('["a#65533;b#65533;c#65533;d"]');
  });

  test('a long text is cut to 64 characters, never inside one', async () => {
    const report = await examineWorkflow([task('\u{1F600}'.repeat(65)), task('x'.repeat(64))]);
    const drawn = await renderMermaid(report);
    expect(drawn).toContain(`["${'x'.repeat(64)}"]`);
    expect(drawn).toContain(`["${'#128512;'.repeat(64)}..."]`);
  });
});

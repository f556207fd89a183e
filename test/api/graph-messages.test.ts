import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { writeGraphReport, writeReport, writeWholeReport } from '../../src/api/graph-messages.ts';
import { graphBytes } from '../../src/api/page-sizes.ts';
import { examineWorkflow, renderDot, renderMermaid, taskMark } from '../../src/dag/index.ts';
import { REASONS } from '../../src/errors.ts';
import { GraphFormat, ValidateDAGRequestSchema, ValidateDAGResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorReason } from '../../src/gen/ect/v1/error_reason_pb.ts';
import { DagReportSchema, DagStatus, Level, TaintSource } from '../../src/gen/ect/v1/token_pb.ts';
import { chain, marking, task } from '../dag/graphs.ts';
import { JTI, OTHER_JTI } from '../support/tokens.ts';

const CLIENT_DEFAULT_BYTES = 4 * 1024 * 1024;
const id = (number: number) => `${OTHER_JTI.slice(0, -6)}${String(number).padStart(6, '0')}`;

describe('the graph', () => {
  test('every violation, every unresolved task and the count arrive', async () => {
    const report = await examineWorkflow([task(JTI, [JTI, OTHER_JTI])]);
    const { violations, unresolved, visited, status, omitted } = create(DagReportSchema, writeReport(report));
    const finding = {
      reason: ErrorReason.DAG_CYCLE,
      message: `Task ${JTI} names itself.`,
      metadata: { jti: JTI },
      remedy: REASONS.DAG_CYCLE.remedy,
    };
    expect(violations).toMatchObject([{ finding, tasks: [{ wid: '', jti: JTI }] }]);
    expect({ unresolved, visited, status, omitted }).toMatchObject({
      unresolved: [{ wid: '', jti: OTHER_JTI }],
      visited: 0,
      status: DagStatus.INVALID,
      omitted: 0,
    });
  });

  test('its status and level', async () => {
    expect(writeReport(await examineWorkflow(chain(2)))).toMatchObject({ status: DagStatus.COMPLETE });
    const partial = writeReport(await examineWorkflow([task('b', ['a'])]));
    expect(partial).toMatchObject({ status: DagStatus.PARTIAL });
    expect(partial).not.toHaveProperty('pathLevel');
    for (const [level, expected] of [
      ['L1', Level.L1],
      ['L2', Level.L2],
      ['L3', Level.L3],
    ] as const) {
      const report = await examineWorkflow([task('a', [], { level })]);
      expect(writeReport(report).pathLevel).toBe(expected);
    }
  });

  test('taints, each with its source', async () => {
    const marks = marking(['none', taskMark('', 'c1')]);
    expect(writeReport(await examineWorkflow(chain(3), undefined, { marks })).tainted).toEqual([
      { task: { wid: '', jti: 'c1' }, source: TaintSource.TASK, kid: '', entryIndex: 1n },
      {
        task: { wid: '', jti: 'c2' },
        source: TaintSource.ANCESTOR,
        ancestor: { wid: '', jti: 'c1' },
        kid: '',
        entryIndex: 1n,
      },
    ]);
  });

  test('a mark at index 0 says so in JSON', async () => {
    const marks = marking([taskMark('', 'c1')]);
    const report = create(DagReportSchema, writeReport(await examineWorkflow(chain(2), undefined, { marks })));
    expect(toJson(DagReportSchema, report)).toMatchObject({ tainted: [{ entryIndex: '0' }] });
  });
});

describe('large reports', () => {
  const wid = OTHER_JTI;
  /** 9,901 tasks, of which each of 9,801 was issued too early for its 100 predecessors: a million broken links. */
  const hostile = Array.from({ length: 9_900 }, (_, at) =>
    task(
      id(at),
      Array.from({ length: Math.min(at, 100) }, (_, nth) => id(at - 1 - nth)),
      { wid, iat: 1_000_000 - 100 * at },
    ),
  );

  test('R10: the worst one is read by a client with default limits, and says how much is missing', async () => {
    const report = await examineWorkflow(hostile, undefined, { marks: marking([taskMark(wid, id(0))]) });
    expect(report.violations.length).toBe(9_899);
    const verdict = create(DagReportSchema, writeReport(report));
    expect(toBinary(DagReportSchema, verdict).length).toBeLessThan(40 * 1024);
    const answer = create(ValidateDAGResponseSchema, writeGraphReport(report));
    expect(toBinary(ValidateDAGResponseSchema, answer).length).toBeLessThan(CLIENT_DEFAULT_BYTES / 2);
    const all = answer.dagReport!;
    expect(all.violations.length).toBeGreaterThan(verdict.violations.length);
    expect(all.omitted).toBeGreaterThan(9_900);
    expect(all.status).toBe(DagStatus.INVALID);
  });

  test('8,000 tainted tasks go into one answer', async () => {
    const report = await examineWorkflow(
      Array.from({ length: 8_000 }, (_, at) => task(id(at), at === 0 ? [] : [id(at - 1)], { wid })),
      undefined,
      { marks: marking([taskMark(wid, id(0))]) },
    );
    const { tainted, omitted } = writeWholeReport(report);
    expect({ tainted: tainted?.length, omitted }).toEqual({ tainted: 8_000, omitted: 0 });
    expect(writeReport(report).omitted).toBeGreaterThan(7_000);
  });

  test('R10: a graph with the longest drawing is within its bound, and says that it is cut', async () => {
    const tasks = Array.from({ length: 1_000 }, (_, at) =>
      task(
        `${at}`.padEnd(256, '~'),
        Array.from({ length: 10 }, (_, nth) => `${at}.${nth}`.padEnd(256, '"')),
        { exec_act: '\u{1f600}'.repeat(256) },
      ),
    );
    const report = await examineWorkflow(tasks, undefined, {
      marks: marking(tasks.map(({ jti }) => taskMark('', jti))),
    });
    const request = create(ValidateDAGRequestSchema, { graphFormat: GraphFormat.DOT });
    for (const drawing of [await renderDot(report), await renderMermaid(report)]) {
      const answer = create(ValidateDAGResponseSchema, { ...writeGraphReport(report), drawing });
      const bytes = toBinary(ValidateDAGResponseSchema, answer).length;
      expect(bytes).toBeGreaterThan(CLIENT_DEFAULT_BYTES / 2);
      expect(bytes).toBeLessThanOrEqual(graphBytes(request));
      expect(drawing).toContain('The graph is larger than this drawing.');
    }
    expect(graphBytes(request)).toBeLessThanOrEqual(CLIENT_DEFAULT_BYTES);
  });

  test('a circle of 10,000 tasks is one violation whose tasks are cut in a verdict', async () => {
    const circle = Array.from({ length: 10_000 }, (_, at) => task(id(at), [id((at + 1) % 10_000)]));
    const { violations, omitted } = writeReport(await examineWorkflow(circle));
    const shown = violations?.[0]?.tasks?.length ?? 0;
    expect(violations).toHaveLength(1);
    expect(shown).toBeGreaterThan(500);
    expect(shown + (omitted ?? 0)).toBe(10_000);
  });
});

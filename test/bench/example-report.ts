// A small report with everything that the renderings distinguish.

import type { Report, Round } from '../../bench/report.ts';

const ROUND: Round = { units: 1000, seconds: 1, cpuSeconds: 0.5, p50Ms: 1.5, p99Ms: 12.34, rssBytes: 100e6 };

export const REPORT: Report = {
  startedAt: '2026-01-01T00:00:00.000Z',
  mode: 'quick',
  machine: {
    cpu: 'Test CPU',
    cores: 2,
    memoryGiB: 24,
    system: 'Linux 6',
    node: 'v24.0.0',
    h2load: 'h2load 1.52',
    loadBefore: 0.5,
    loadAfter: 1.25,
  },
  figures: [
    {
      name: 'issue',
      title: 'Issue',
      unit: 'calls',
      sides: [
        { name: 'bare', rounds: [ROUND] },
        { name: 'ours', rounds: [{ ...ROUND, units: 1250, generatorBusy: 0.62 }] },
      ],
      goals: [
        { text: 'Issue ÷ bare', against: 'bare', value: 1.25, limit: 1.1, kind: 'at least', unit: '×' },
        { text: 'p99 at half load', value: 350, limit: 50, kind: 'at most', unit: 'ms' },
      ],
      notes: ['a note with <angle> & brackets'],
    },
    { name: 'workers', title: 'Two workers', unit: 'calls', sides: [], goals: [], notes: ['Skipped: not built.'] },
  ],
};

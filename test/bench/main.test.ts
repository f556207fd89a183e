import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FULL, QUICK } from '../../bench/figures/plan.ts';
import { readOptions, UsageError } from '../../bench/options.ts';

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

describe('the command line of the benchmark', () => {
  test('without options everything is measured fully', () => {
    expect(readOptions([])).toMatchObject({
      plan: FULL,
      figures: [
        'issue',
        'go',
        'identity',
        'protocols',
        'kms',
        'verify',
        'batch',
        'append',
        'graph',
        'workers',
        'replicas',
        'memory',
        'overload',
      ],
    });
  });

  test('--quick and --only choose, in the order of the table', () => {
    expect(readOptions(['--quick', '--only', 'append', '--only', 'issue'])).toMatchObject({
      plan: QUICK,
      figures: ['issue', 'append'],
    });
  });

  test('a figure or an option that does not exist is rejected with the usage', () => {
    expect(() => readOptions(['--only', 'nothing'])).toThrow(UsageError);
    expect(() => readOptions(['--fast'])).toThrow(/--quick/);
  });

  test('without h2load it says how to install it, and ends with 2', () => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, '--quick'], {
      env: { PATH: '/nonexistent' },
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('apt-get install nghttp2-client');
  });
});

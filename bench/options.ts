// The command line of the benchmark.

import { parseArgs } from 'node:util';
import { FIGURES } from './figures/index.ts';
import { FULL, type Plan, QUICK } from './figures/plan.ts';

export const USAGE = `npm run bench -- [options]
  --quick        in under two minutes, with wider error
  --only NAME    one figure: ${Object.keys(FIGURES).join(', ')}; may be repeated
  --json FILE    write everything that was measured
  --html FILE    write a page with plots`;

export interface Options {
  readonly plan: Plan;
  readonly figures: readonly string[];
  readonly jsonFile: string | undefined;
  readonly htmlFile: string | undefined;
}

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function readOptions(args: readonly string[]): Options {
  const { quick, only, json, html } = parse(args);
  const unknown = only.find((name) => !(name in FIGURES));
  if (unknown !== undefined) throw new UsageError(`There is no figure ${unknown}.\n${USAGE}`);
  return {
    plan: quick ? QUICK : FULL,
    figures: Object.keys(FIGURES).filter((name) => only.length === 0 || only.includes(name)),
    jsonFile: json,
    htmlFile: html,
  };
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        html: { type: 'string' },
      },
    });
    return values;
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n${USAGE}`, { cause });
  }
}

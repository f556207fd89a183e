// The files of the policy and its limits. They are read, checked against the schema and applied together.

import { StartError } from '../data-directory/data-dir.ts';
import {
  digestOfPolicy,
  type LimitsTable,
  loadCedar,
  NO_LIMITS,
  type PolicyInForce,
  readLimits,
} from '../policy/index.ts';
import type { Content, FileGroup } from '../reload/index.ts';
import { bytesOf } from './setting-file.ts';

export interface PolicyPaths {
  readonly policyFile: string | undefined;
  readonly limitsFile: string | undefined;
}

/** Returns the files as a group; undefined if none is configured. `parse` throws StartError with every fault and its position. */
export function policyFiles({ policyFile, limitsFile }: PolicyPaths): FileGroup<PolicyInForce> | undefined {
  const paths = [policyFile, limitsFile].filter((path) => path !== undefined);
  if (paths.length === 0) return undefined;
  return {
    name: 'policy',
    paths,
    parse: async (contents) => {
      const [first, second] = contents;
      const policyText = policyFile && textOf('ECT_POLICY_FILE', policyFile, first);
      const limitsText =
        limitsFile && textOf('ECT_POLICY_LIMITS', limitsFile, policyFile === undefined ? first : second);
      const texts = { policy: policyText, limits: limitsText };
      return {
        policy: policyText === undefined ? undefined : await readPolicyText(policyFile ?? '', policyText),
        limits: limitsText === undefined ? NO_LIMITS : readLimitsText(limitsFile ?? '', limitsText),
        digest: digestOfPolicy(texts),
        texts,
      };
    },
  };
}

async function readPolicyText(path: string, text: string) {
  const { readPolicyInSlices } = await loadCedar();
  const read = await readPolicyInSlices(text);
  if (read.ok) return read.policy;
  const lines = read.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  throw mistakes('ECT_POLICY_FILE', path, lines);
}

function readLimitsText(path: string, text: string): LimitsTable {
  const read = readLimits(text);
  if (read.ok) return read.table;
  throw mistakes('ECT_POLICY_LIMITS', path, read.problems);
}

function mistakes(setting: string, path: string, lines: readonly string[]): StartError {
  return new StartError(
    `The file of ${setting} (${path}) has mistakes:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );
}

function textOf(setting: string, path: string, content: Content | undefined): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(setting, path, content));
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(`The file of ${setting} is not UTF-8: ${path}.`, { cause });
  }
}

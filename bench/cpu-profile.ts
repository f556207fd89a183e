// A CPU profile as V8 writes it, summed up: in which functions, and in whose functions, the time itself was spent.

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** A `.cpuprofile` file, as far as it is read here. Times are microseconds of the system's monotonic clock. */
export interface CpuProfile {
  readonly startTime: number;
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  /** From the sample before, or from the start, to each sample. */
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  /** Share of the time in which the process was busy, 0 to 1. */
  readonly share: number;
}

const IDLE = '(idle)';

/**
 * Own time by function (`sign  node:internal/crypto/sig:120`) and by owner (`src/token`, `pino`), the largest first. Only
 * what was sampled between the two times counts, and waiting does not.
 */
export function selfTimes(
  profile: CpuProfile,
  from: number,
  to: number,
): { functions: SelfTime[]; owners: SelfTime[] } {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const owners = new Map<string, number>();
  let now = profile.startTime;
  for (const [position, id] of profile.samples.entries()) {
    const time = profile.timeDeltas[position] ?? 0;
    now += time;
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === IDLE || now < from || now > to) continue;
    add(functions, placeOf(frame), time);
    add(owners, ownerOf(frame), time);
  }
  return { functions: ranked(functions), owners: ranked(owners) };
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time);
}

function ranked(times: Map<string, number>): SelfTime[] {
  const all = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times].map(([name, time]) => ({ name, share: time / all })).toSorted((a, b) => b.share - a.share);
}

function placeOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name}  ${shortUrl(url)}:${lineNumber + 1}`;
}

/** Whose code it is: a room of `src`, a package, a part of Node, or machine code without a source. */
function ownerOf({ functionName, url }: CallFrame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native functions';
  const short = shortUrl(url);
  const [, owner] = /^(src\/[^/]+|node:(?:internal\/)?[^/]+|node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(short) ?? [];
  return (owner ?? short).replace('node_modules/', '').replace('node:internal/', 'node:');
}

function shortUrl(url: string): string {
  return url.replace(/^file:\/\//, '').replace(/^.*\/(?=(?:src|node_modules)\/)/, '');
}

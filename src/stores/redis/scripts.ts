// The atomic operations of the guard, as Redis scripts. They have flags in their first line. Redis therefore rejects them before they
// begin if it could not finish them: on a replica, without memory, or without the required replicas.

import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script, which is sent in full if a server does not know it yet. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** The label of a use without a request id. No SHA-256 of a request id equals it. */
export const NO_LABEL = Buffer.alloc(32);

/** The tolerated difference between the clocks of Redis and of the replicas of this service, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 30;
export const CLOCKS_DIFFER = `The clocks of Redis and of this service differ by more than ${CLOCK_TOLERANCE_SECONDS} s: set them (NTP).`;

/**
 * Opens the history of the uses, under KEYS[1]: the run of the server that has kept all of them, and since when, in seconds. If that is
 * not the current run (ARGV[1]), uses may be missing, so the history begins now (ARGV[2]). If there is no history and nothing was ever
 * used (ARGV[3]), it begins at 0. Returns whether it began now, and since when it is complete; or `clock` if the clock of the server and
 * this clock differ, so that `now` may be wrong.
 */
export const OPEN_HISTORY = script(`#!lua
local run, now, use = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local held = redis.call('GET', KEYS[1])
local kept_by, since = string.match(held or '', '^(%x+) (%d+)$')
if kept_by == run then return {'known', since} end
if math.abs(redis.call('TIME')[1] - now) > ${CLOCK_TOLERANCE_SECONDS} then return {'clock', '0'} end
if not held and use == 'never-used' then now = 0 else now = math.max(now, tonumber(since or 0)) end
redis.call('SET', KEYS[1], string.format('%s %d', run, now))
return {'begun', string.format('%d', now)}
`);

/**
 * Claims a use, under KEYS[1], or only reads it. KEYS[2] is the history, which must be that of the current run (ARGV[8]); the clock of
 * the server must agree with this clock (ARGV[6]), since it determines when the use is removed (ARGV[9], in milliseconds). An unknown use
 * is fresh only if the token cannot have been used (ARGV[7]) before the history began.
 *
 * The value of a use is 32 bytes of the token's digest, 32 bytes of the request id's digest, and the time until which it is kept.
 */
export const CLAIM = script(`#!lua
local mode, digest, label, keep, now, clock, not_before, run, ttl = unpack(ARGV)
local kept_by, since = string.match(redis.call('GET', KEYS[2]) or '', '^(%x+) (%d+)$')
if kept_by ~= run then return 'lost' end
if math.abs(redis.call('TIME')[1] - clock) > ${CLOCK_TOLERANCE_SECONDS} then return 'clock' end
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.sub(held, 65)) >= tonumber(now) then
  if string.sub(held, 1, 32) ~= digest then return 'other' end
  if label ~= string.rep('\\0', 32) and string.sub(held, 33, 64) == label then return 'repeated' end
  return 'replayed'
end
if since ~= '0' and tonumber(not_before) <= tonumber(since) then return 'forgotten ' .. since end
if mode == 'claim' then redis.call('SET', KEYS[1], digest .. label .. keep, 'PX', ttl) end
return 'fresh'
`);

/** Runs a script in one round trip, except for the first time on a server. */
export async function runScript(
  client: Redis,
  { lua, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha1, keys.length, ...keys, ...args);
  } catch (error) {
    // NOSCRIPT: the script was not run.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.eval(lua, keys.length, ...keys, ...args);
  }
}

function script(lua: string): Script {
  return { lua, sha1: hash('sha1', lua) };
}

// What Redis does for the guard, each in one atomic step. Without flags in their first line, a server rejects these scripts before
// they begin where it could not finish them: as a replica, without memory, without the replicas that it must have.

import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A script of Lua, which is sent whole where a server does not know it yet. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** As long as no request id: no SHA-256 of one. */
export const NO_LABEL = Buffer.alloc(32);

/** How far the clocks of Redis and of the replicas of this service may be apart, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 30;
export const CLOCKS_DIFFER = `The clocks of Redis and of this service differ by more than ${CLOCK_TOLERANCE_SECONDS} s: set them (NTP).`;

/**
 * The history of the uses, under KEYS[1]: the run of the server that has kept all of them, and since when, in seconds. Where that is
 * not the run that is asked (ARGV[1]), some may be missing, so the history begins now (ARGV[2]). Where there is none and nothing was
 * ever used (ARGV[3]), it goes back forever: 0. Returns whether it began now, and since when it goes; `clock` where the clock of the
 * server and ours do not agree, so that `now` may be wrong.
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
 * One claim of a use, under KEYS[1], or one look at it. KEYS[2] is the history, which must be that of the run (ARGV[8]); the clock of
 * the server must agree with ours (ARGV[6]), since it decides when the use is forgotten (ARGV[9], in milliseconds). A use that is not
 * known is fresh only where the token cannot have been used (ARGV[7]) before the history began.
 * A use is: 32 bytes of the token's digest, 32 of the request id's, and until when it counts.
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

/** Runs a script in one round trip, but for the first time on a server. */
export async function runScript(
  client: Redis,
  { lua, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha1, keys.length, ...keys, ...args);
  } catch (error) {
    // It was not run.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.eval(lua, keys.length, ...keys, ...args);
  }
}

function script(lua: string): Script {
  return { lua, sha1: hash('sha1', lua) };
}

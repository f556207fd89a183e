// Rival: nothing but rows into PostgreSQL, by plain `pg`. Inserts for a while and says how many. Arguments: the place as JSON, the bytes of a
// row's parts as JSON, seconds.

import { randomBytes, randomUUID } from 'node:crypto';
import { type DatabasePlace, openPostgresRows, type RowSizes } from './postgres-rows.ts';

/** As many as callers of ours wait at a time. */
const ROWS_UNDER_WAY = 96;
const WARM_UP_SECONDS = 0.2;

const [place = '', rowSizes = '', length = ''] = process.argv.slice(2);
const sizes = JSON.parse(rowSizes) as RowSizes;
const rows = openPostgresRows(JSON.parse(place) as DatabasePlace);
const [leaf, salt, content] = [randomBytes(sizes.leaf), randomBytes(sizes.salt), randomBytes(sizes.content)];

/** Keeps so many rows under way until the time is over, and waits for the last of them. */
async function insertFor(seconds: number) {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let units = 0;
  let open = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const add = () => {
    open++;
    rows.add({ name: randomUUID(), scope: randomUUID(), leaf, salt, content }, () => {
      open--;
      units++;
      if (performance.now() - startedAt < seconds * 1000) add();
      else if (open === 0) resolve();
    });
  };
  for (let row = 0; row < ROWS_UNDER_WAY; row++) add();
  await promise;
  const cpu = process.cpuUsage(cpuBefore);
  const took = (performance.now() - startedAt) / 1000;
  return { units, seconds: took, cpuSeconds: (cpu.user + cpu.system) / 1e6, rssBytes: process.memoryUsage.rss() };
}

await insertFor(WARM_UP_SECONDS);
process.stdout.write(JSON.stringify(await insertFor(Number(length))), () => process.exit());

// The metrics page of the service, read over a connection of its own.

import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Target } from './target.ts';

export interface Metrics {
  /** The sum of all samples of a metric whose labels have all these texts. */
  sum(name: string, ...labels: readonly string[]): number;
}

/** Reads the page. Rejects when it does not come within the time. */
export async function scrape({ host, port, tls }: Target, timeoutMs = 5_000): Promise<Metrics> {
  const send = tls === undefined ? requestHttp : requestHttps;
  const sent = send({ host, port, path: '/metrics', agent: false, signal: AbortSignal.timeout(timeoutMs), ...tls });
  const [answer] = await once(sent.end(), 'response');
  const page = await text(answer);
  if (answer.statusCode !== 200) throw new Error(`/metrics answered ${answer.statusCode}`);
  return readMetrics(page);
}

export function readMetrics(page: string): Metrics {
  const samples = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return {
    sum: (name, ...labels) =>
      samples
        .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
        .filter((line) => labels.every((label) => line.includes(label)))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0),
  };
}

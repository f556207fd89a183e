import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { h2load, h2loadVersion, readLatencies, readSummary } from '../../bench/h2load.ts';
import { describeWhen } from '../support/need.ts';

const OUTPUT = `starting benchmark...
spawning thread #0: 8 total client(s). 20000 total requests
Application protocol: h2c
progress: 100% done

finished in 1.28s, 15660.66 req/s, 2.03MB/s
requests: 20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 20000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 2.59MB (2720696) total, 59.05KB (60464) headers (space savings 95.74%), 2.00MB (2100000) data
                     min         max         mean         sd        +/- sd
time for request:      303us    109.95ms      8.03ms     10.86ms    91.04%
`;

describe('the output of h2load', () => {
  test('is read as calls, seconds and bytes of bodies', () => {
    expect(readSummary(OUTPUT)).toEqual({ calls: 20_000, failed: 0, seconds: 1.28, bodyBytes: 2_100_000 });
  });

  test.each([
    ['850.32ms', 0.850_32],
    ['120us', 0.000_12],
    ['2m', 120],
  ])('a duration of %s is read in its unit', (text, seconds) => {
    expect(readSummary(OUTPUT.replace('1.28s', text)).seconds).toBeCloseTo(seconds, 8);
  });

  test('a call without a 2xx answer has failed, whatever became of it', () => {
    const some = OUTPUT.replace('status codes: 20000 2xx', 'status codes: 19990 2xx');
    expect(readSummary(some).failed).toBe(10);
  });

  test('output of a run that did not finish is rejected', () => {
    expect(() => readSummary('starting benchmark...\n')).toThrow(TypeError);
  });

  test('its log gives one latency a call, in milliseconds', () => {
    expect([...readLatencies('1795305645689767\t200\t17951\n1795305645689768\t200\t400\n')]).toEqual([17.951, 0.4]);
  });
});

describeWhen((await h2loadVersion()) !== undefined, 'h2load against a server', 'h2load on the PATH', () => {
  test('each run stands for itself: its calls, its bytes, its latencies', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ect-h2load-'));
    let answerBytes = 1000;
    let delayMs = 1000;
    const server = createServer((request, response) => {
      request.resume();
      request.on('end', () => setTimeout(() => response.end(Buffer.alloc(answerBytes)), delayMs));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const bodyFile = join(folder, 'body');
      await writeFile(bodyFile, 'body');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const order = {
        url,
        bodyFile,
        calls: 20,
        connections: 2,
        streams: 10,
        contentType: 'text/plain',
        logFile: join(folder, 'log'),
      };
      const slow = await h2load(order);
      expect(slow).toMatchObject({ calls: 20, failed: 0, bodyBytes: 20_000 });
      expect(slow.p50Ms).toBeGreaterThanOrEqual(999);
      [answerBytes, delayMs] = [10, 0];
      const quick = await h2load(order);
      expect(quick.bodyBytes).toBe(200);
      expect(quick.p99Ms).toBeLessThan(slow.p50Ms);
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    }
  });
});

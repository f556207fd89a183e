// The bytes of a TLS connection before they are decrypted: pieces in fair turns, because OpenSSL processes all that it gets at once.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { ReadFlow, ReadScheduler } from '../../src/limits/read-scheduler.ts';
import { TlsInput } from '../../src/transport/tls-input.ts';
import { SOON } from '../support/soon.ts';

const KIB = 1024;
const PIECE_BYTES = 4 * KIB;

const opened: { destroy(): unknown }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy();
});

/** Connections to inputs that share one queue, in which each piece costs so many milliseconds. `log` has the name of each piece. */
function shared(pieceMs: number) {
  let now = 0;
  const [reads, slowReads] = [new ReadScheduler(() => now), new ReadScheduler(() => now, 1)];
  const lanesOf = () => ({
    usual: { reads, flow: new ReadFlow() },
    slow: { reads: slowReads, flow: new ReadFlow() },
  });
  const log: { readonly name: string; readonly bytes: Buffer }[] = [];
  async function open(name: string) {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [tcp] = (await once(server, 'connection')) as [Socket];
    server.close();
    const input = new TlsInput(tcp, lanesOf(), (pass) => {
      now += pieceMs;
      pass();
    });
    opened.push(client, input);
    input.on('error', () => undefined).pause();
    input.on('data', (bytes: Buffer) => void log.push({ name, bytes }));
    return { client, tcp, input };
  }
  return { open, log };
}

const filled = (length: number) => Buffer.from(Array.from({ length }, (_, at) => at % 251));

test('H46: what one read has brought is passed on in pieces of 4 KiB, complete and in order, then the end', async () => {
  const { open, log } = shared(0.1);
  const { client, input } = await open('a');
  const ended = once(input, 'end');
  client.end(filled(200 * KIB));
  input.resume();
  await ended;
  expect(Buffer.concat(log.map(({ bytes }) => bytes)).equals(filled(200 * KIB))).toBe(true);
  expect(Math.max(...log.map(({ bytes }) => bytes.length))).toBe(PIECE_BYTES);
  expect(input.bytesRead).toBe(200 * KIB);
});

test('H46: a connection with costly records does not delay the bytes of another one', async () => {
  const { open, log } = shared(2);
  const [flood, quiet] = [await open('flood'), await open('quiet')];
  flood.input.once('data', () => quiet.client.write('x'));
  for (const { input } of [flood, quiet]) input.resume();
  flood.client.write(filled(4_000 * KIB));
  await vi.waitFor(() => expect(flood.input.bytesRead).toBe(4_000 * KIB), SOON);
  const pieces = log.map(({ name }) => name);
  expect(pieces.indexOf('quiet')).toBeGreaterThan(0);
  expect(pieces.indexOf('quiet')).toBeLessThan(pieces.length / 2);
});

test('H46: connections whose records carry no data share a fourth of the time of others, and nobody waits for them', async () => {
  const { open, log } = shared(0.5);
  const floods = await Promise.all(Array.from({ length: 20 }, (_, nth) => open(`flood ${nth}`)));
  const quiet = await open('quiet');
  for (const { input } of [...floods, quiet]) input.resume();
  for (const { input } of floods) input.secured({ bytesRead: 0 } as Socket);
  const count = () => log.filter(({ name }) => name !== 'quiet').length;
  for (const { client } of floods) client.write(filled(60 * KIB));
  await vi.waitFor(() => expect(count()).toBeGreaterThan(100), SOON);
  let behind = 0;
  quiet.input.on('data', () => {
    behind = count();
  });
  // It is served in the turn in which its bytes are read.
  const readAt = new Promise<number>((resolve) => quiet.tcp.once('data', () => resolve(count())));
  quiet.client.write('x');
  const [before] = await Promise.all([readAt, once(quiet.input, 'data')]);
  expect(behind).toBe(before);
  await vi.waitFor(() => expect(floods.every(({ input }) => input.bytesRead === 60 * KIB)).toBe(true), SOON);
});

test('H46: what waits is not counted as read, and nothing more is read than two pieces of 64 KiB', async () => {
  const { open, log } = shared(0);
  const { client, tcp, input } = await open('a');
  input.on('data', () => input.pause());
  input.resume();
  client.write(filled(1_000 * KIB));
  await vi.waitFor(() => expect(tcp.bytesRead).toBeGreaterThan(PIECE_BYTES), SOON);
  expect(log).toHaveLength(1);
  expect(input.bytesRead).toBe(KIB / 2);
  expect(tcp.bytesRead).toBeLessThanOrEqual(128 * KIB);
  await new Promise(setImmediate);
  expect(tcp.bytesRead).toBeLessThanOrEqual(128 * KIB);
});

test('a peer that has ended its side still gets what is written, and the end', async () => {
  const { open } = shared(0);
  const { client, input } = await open('a');
  let heard = '';
  client.on('data', (bytes: Buffer) => {
    heard += bytes;
  });
  client.end('a request');
  input.resume();
  await once(input, 'end');
  input.write(Buffer.from('a response'));
  input.end();
  await once(client, 'close');
  expect(heard).toBe('a response');
});

test('a connection that its peer resets is destroyed with the error, also while its bytes wait', async () => {
  const { open, log } = shared(2);
  const { client, input } = await open('a');
  const failed = once(input, 'error');
  input.resume();
  client.write(filled(100 * KIB));
  await vi.waitFor(() => expect(log.length).toBeGreaterThan(0), SOON);
  input.pause();
  input.resume();
  client.resetAndDestroy();
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  expect(input.destroyed).toBe(true);
});

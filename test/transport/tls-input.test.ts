// The bytes of a TLS connection before they are decrypted: pieces in fair turns, because OpenSSL processes all that it gets at once.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { ReadFlow, type ReadLane, ReadScheduler } from '../../src/limits/read-scheduler.ts';
import { TlsInput } from '../../src/transport/tls-input.ts';
import { SOON } from '../support/soon.ts';

const KIB = 1024;
/** The most bytes of a record with its header, and the least of one without data. */
const [LARGEST_RECORD, SMALLEST_RECORD] = [16 * KIB + 261, 22];
const PIECE_RECORDS = 16;

const opened: { destroy(): unknown }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy();
});

/** Connections to inputs that share one queue, in which each piece costs so many milliseconds. `log` has the name of each piece. */
function shared(pieceMs: number, lane?: ReadLane) {
  let now = 0;
  const [reads, slowReads] = [new ReadScheduler(() => now), new ReadScheduler(() => now, 1)];
  const lanesOf = () => ({
    usual: lane ?? { reads, flow: new ReadFlow() },
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

/** Records of this size, which have random bytes after their header. */
function records(count: number, bytes: number): Buffer {
  const header = Buffer.from([0x17, 3, 3, 0, 0]);
  header.writeUInt16BE(bytes - header.length, 3);
  return Buffer.concat(
    Array.from({ length: count }, () => Buffer.concat([header, randomBytes(bytes - header.length)])),
  );
}
const costly = (length: number) => records(Math.floor(length / SMALLEST_RECORD), SMALLEST_RECORD);

test.each([
  ['16 records without data', 3_000, SMALLEST_RECORD, PIECE_RECORDS * SMALLEST_RECORD],
  ['16 records of a call each', 500, 300, PIECE_RECORDS * 300],
  ['the bytes of a record of the largest size', 20, LARGEST_RECORD, LARGEST_RECORD],
])(
  'H46: what one read has brought is passed on in pieces of %s, complete and in order, then the end',
  async (_, count, bytes, most) => {
    const { open, log } = shared(0.1);
    const { client, input } = await open('a');
    const ended = once(input, 'end');
    const sent = records(count, bytes);
    client.end(sent);
    input.resume();
    await ended;
    expect(Buffer.concat(log.map(({ bytes: piece }) => piece)).equals(sent)).toBe(true);
    expect(Math.max(...log.map(({ bytes: piece }) => piece.length))).toBe(most);
    expect(input.bytesRead).toBe(sent.length);
  },
);

test('H24: a connection that waits for its turn is not read, and its bytes stay complete and in order', async () => {
  const turns: (() => void)[] = [];
  const run = (_: ReadFlow, work: () => void) => void turns.push(work);
  const reads = { run, defer: run, mayContinue: true } as unknown as ReadScheduler;
  const { open, log } = shared(0, { reads, flow: new ReadFlow() });
  const { client, tcp, input } = await open('a');
  input.resume();
  const sent = costly(2_000 * KIB);
  const read = once(tcp, 'data');
  client.write(sent);
  await read;
  expect(tcp.isPaused()).toBe(true);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  expect(tcp.bytesRead).toBeLessThanOrEqual(128 * KIB);

  const ended = once(input, 'end');
  client.end();
  const timer = setInterval(() => turns.shift()?.(), 0);
  await ended;
  clearInterval(timer);
  expect(Buffer.concat(log.map(({ bytes }) => bytes)).equals(sent)).toBe(true);
});

test('H46: a connection with costly records does not delay the bytes of another one', async () => {
  const { open, log } = shared(2);
  const [flood, quiet] = [await open('flood'), await open('quiet')];
  flood.input.once('data', () => quiet.client.write('x'));
  for (const { input } of [flood, quiet]) input.resume();
  flood.client.write(costly(400 * KIB));
  await vi.waitFor(() => expect(flood.input.bytesRead).toBe(costly(400 * KIB).length), SOON);
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
  for (const { client } of floods) client.write(costly(60 * KIB));
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
  await vi.waitFor(
    () => expect(floods.every(({ input }) => input.bytesRead === costly(60 * KIB).length)).toBe(true),
    SOON,
  );
});

test('H46: what waits is not counted as read, and nothing more is read than two pieces of 64 KiB', async () => {
  const { open, log } = shared(0);
  const { client, tcp, input } = await open('a');
  input.on('data', () => input.pause());
  input.resume();
  client.write(costly(1_000 * KIB));
  await vi.waitFor(() => expect(tcp.bytesRead).toBeGreaterThan(LARGEST_RECORD), SOON);
  expect(log).toHaveLength(1);
  expect(input.bytesRead).toBe(PIECE_RECORDS * SMALLEST_RECORD);
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
  client.write(costly(100 * KIB));
  await vi.waitFor(() => expect(log.length).toBeGreaterThan(0), SOON);
  input.pause();
  input.resume();
  client.resetAndDestroy();
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  expect(input.destroyed).toBe(true);
});

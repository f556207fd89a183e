// Arrays in the binary format, as the server reads them.

import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bigintArray, byteaArray } from '../../../src/stores/postgres/binary-arrays.ts';
import { describeWithPostgres, PASSWORD, type PostgresServer, startPostgres } from '../../support/postgres.ts';

describeWithPostgres('arrays in the binary format', () => {
  let server: PostgresServer;
  let client: Client;
  beforeAll(async () => {
    server = await startPostgres({ hasTables: false });
    client = new Client({ host: server.host, port: server.port, user: 'postgres', password: PASSWORD });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  async function elementsOf(type: 'bytea' | 'bigint', array: Buffer): Promise<readonly unknown[]> {
    const text = `SELECT element FROM unnest($1::${type}[]) WITH ORDINALITY AS given (element, place) ORDER BY place`;
    return (await client.query<{ element: unknown }>(text, [array])).rows.map(({ element }) => element);
  }

  test.each([
    ['no element', []],
    ['empty bytes, zeros and bytes that text would escape', ['', '00', '5c78ff00220a', 'c3a9'.repeat(3_000)]],
    ['nulls', [null, '01', null]],
    ['nothing but nulls', [null, null]],
  ] as const)('bytea[]: %s', async (_, elements) => {
    const bytes = elements.map((hex) => (hex === null ? null : Buffer.from(hex, 'hex')));
    expect(await elementsOf('bytea', byteaArray(bytes))).toEqual(bytes);
  });

  test('bigint[]: from none to the greatest safe integer, and below zero', async () => {
    const numbers = [0, 1, -1, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    expect(await elementsOf('bigint', bigintArray(numbers))).toEqual(numbers.map(String));
    expect(await elementsOf('bigint', bigintArray([]))).toEqual([]);
  });
});

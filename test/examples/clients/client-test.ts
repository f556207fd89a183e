// The tests of a section of docs/clients.md: what a reader does there, over cleartext and with a certificate.

import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../interop/run-program.ts';
import { type Clients, commandsOf, EXPECTED, openClients, RUN_MS } from './documented.ts';

/** What Go writes while it fetches, and Java of what its later versions will not have. */
const NOISE = /^(?:go: downloading|WARNING: ).*\n/gm;

/** `path`: folders in which the commands find their programs. Answers what gives the clients to further tests. */
export function testClients(headings: readonly string[], path: readonly string[] = []): () => Clients {
  let clients: Clients;
  beforeAll(async () => {
    clients = await openClients(path);
  });
  afterAll(() => clients?.[Symbol.asyncDispose]());

  describe.each(headings)('%s', (heading) => {
    const commands = commandsOf(heading);
    const [enter = '', run = ''] = [commands[0], commands.at(-1)];

    test('the commands generate the client, compile it and run it, and it does what it says', {
      timeout: RUN_MS,
    }, async () => {
      expectSuccess(await clients.overCleartext(commands), EXPECTED);
    });

    test('it connects with the certificate of its workload', { timeout: RUN_MS }, async () => {
      expectSuccess(await clients.overMutualTls([enter, run]), EXPECTED);
    });
  });
  return () => clients;
}

export function expectSuccess({ code, stdout, stderr }: Outcome, expected: RegExp): void {
  // Maven sets the colour back also where it set none.
  const [output, errors] = [stdout, stderr].map((text) => stripVTControlCharacters(text).replaceAll(NOISE, ''));
  expect({ code, output, errors }).toEqual({ code: 0, output: expect.stringMatching(expected), errors: '' });
}

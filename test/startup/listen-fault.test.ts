// The message about an address that nothing can listen on has the remedy that fits.

import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { listenFault } from '../../src/startup/listen-fault.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('an address', () => {
  function listenError(host: string, port: number): Promise<unknown> {
    return new Promise((resolve) => {
      const server = createServer();
      server.once('error', resolve);
      server.listen(port, host, () => server.close(() => resolve(undefined)));
    });
  }

  test('that another process uses, and one that is not of this machine, have different remedies', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const used = listenFault('127.0.0.1', port, await listenError('127.0.0.1', port));
    expect(used).toBe(
      `Cannot listen on 127.0.0.1:${port} (EADDRINUSE): another process uses it; stop that, or set ECT_LISTEN to another port.`,
    );
    await new Promise((resolve) => server.close(resolve));
    // TEST-NET-1 (RFC 5737) is the address of no machine.
    const elsewhere = listenFault('192.0.2.1', 8080, await listenError('192.0.2.1', 8080));
    expect(elsewhere).toContain('(EADDRNOTAVAIL): 192.0.2.1 is not an address of this machine');
    expect(elsewhere).not.toContain('stop');
  });

  test.each([
    ['EACCES', /port from 1024 on/],
    ['ENOTFOUND', /cannot be resolved/],
    ['EAFNOSUPPORT', /no network of the kind/],
  ])('%s says what it means', (code, rule) => {
    expect(listenFault('h', 80, systemError(code))).toMatch(rule);
  });

  test('of IPv6 has its brackets, and the address for all is one of IPv6 too', () => {
    expect(listenFault('2001:db8::1', 8080, systemError('EADDRNOTAVAIL'))).toBe(
      'Cannot listen on [2001:db8::1]:8080 (EADDRNOTAVAIL): 2001:db8::1 is not an address of this machine; ' +
        'set ECT_LISTEN to one that is, or to [::] for all of them.',
    );
    expect(listenFault('192.0.2.1', 80, systemError('EADDRNOTAVAIL'))).toContain('or to 0.0.0.0 for all of them');
  });

  test('an error that is not of the system is none of an address', () => {
    expect(listenFault('h', 80, new TypeError('a bug'))).toBeUndefined();
  });
});

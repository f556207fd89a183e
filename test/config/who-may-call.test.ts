// Who may call, as the settings say it: addresses, proxies and CAs that go together, and that do not.

import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { BUNDLES, CLIENT_TLS, PROXY, problemsOf, TLS } from './problems.ts';

describe('S10: who may call', () => {
  test.each(['127.0.0.1:8080', '127.1.2.3:8080', '127.255.255.255:0', 'localhost:8080', '[::1]:8080'])(
    '%s is reached from this machine only and needs no more',
    (address) => {
      expect(problemsOf({ ECT_LISTEN: address })).toEqual([]);
    },
  );

  test.each([
    '0.0.0.0:8080',
    '[::]:8080',
    '10.0.0.1:8080',
    '128.0.0.1:8080',
    '[2001:db8::1]:8080',
    '[::ffff:127.0.0.1]:8080',
    'ect.example.com:8080',
    'localhost.example.com:8080',
    '127.example.com:8080',
    '127.0.0.1.example.com:8080',
    '127.0.0.256:8080',
    '127.1:8080',
    '0:8080',
  ])('%s is rejected until callers are authenticated or the service is opened on purpose', (address) => {
    const [problem, ...more] = problemsOf({ ECT_LISTEN: address });
    expect(more).toEqual([]);
    const ways = ['ECT_TLS_CLIENT_CA', 'ECT_TLS_CLIENT_BUNDLES', 'ECT_FORWARDED_BY'];
    for (const key of ['ECT_LISTEN', 'ECT_TLS_CERT', 'ECT_TLS_KEY', ...ways, 'ECT_ALLOW_ANONYMOUS=yes']) {
      expect(problem).toContain(key);
    }
    expect(problemsOf({ ECT_LISTEN: address, ...TLS })).toEqual([problem]);
    expect(problemsOf({ ECT_LISTEN: address, ECT_ALLOW_ANONYMOUS: 'no' })).toEqual([problem]);
    for (const proven of [CLIENT_TLS, BUNDLES, { ...BUNDLES, ECT_FORWARDED_BY: PROXY }]) {
      expect(problemsOf({ ECT_LISTEN: address, ...proven })).toEqual([]);
    }
    expect(problemsOf({ ECT_LISTEN: address, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([]);
  });

  test('authenticated callers and anonymous ones contradict each other', () => {
    expect(problemsOf({ ...CLIENT_TLS, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_TLS_CLIENT_CA: remove one of them.',
    ]);
  });

  test('A8 CAs of several trust domains are kept apart, and not mixed with one that vouches for all', () => {
    expect(readConfig(BUNDLES).tls?.clientBundles).toEqual([
      { trustDomain: 'example.org', file: '/tls/org.pem' },
      { trustDomain: 'partner.example', file: '/tls/partner.pem' },
    ]);
    expect(readConfig(BUNDLES).callers.areProven).toBe(true);
    expect(problemsOf({ ...BUNDLES, ...CLIENT_TLS })).toEqual([
      expect.stringMatching(/^ECT_TLS_CLIENT_BUNDLES and ECT_TLS_CLIENT_CA are both set/),
    ]);
    expect(problemsOf({ ...BUNDLES, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_TLS_CLIENT_BUNDLES: remove one of them.',
    ]);
    expect(problemsOf({ ECT_TLS_CLIENT_BUNDLES: 'example.org=/a' })).toEqual([
      'ECT_TLS_CLIENT_BUNDLES needs ECT_TLS_CERT and ECT_TLS_KEY.',
    ]);
    const wrong = ['/a', '=/a', 'example.org', 'example.org=', 'Example.org=/a', 'a=/a,a=/b', 'a=/a,', 'spiffe://a=/a'];
    for (const value of [...wrong, 'a=-----BEGIN CERTIFICATE-----']) {
      expect(problemsOf({ ...TLS, ECT_TLS_CLIENT_BUNDLES: value }), value).toEqual([
        expect.stringMatching(/^ECT_TLS_CLIENT_BUNDLES must be trust domains/),
      ]);
    }
  });

  test('A4 a proxy that forwards an identity is named by its own, which it has to prove', () => {
    expect(readConfig({ ...BUNDLES, ECT_FORWARDED_BY: PROXY }).callers.forwarded).toEqual({
      proxies: [PROXY],
      header: 'x-forwarded-client-cert',
    });
    expect(problemsOf({ ECT_FORWARDED_BY: PROXY })).toEqual([
      'ECT_FORWARDED_BY needs ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES, ECT_WORKLOAD_API or ECT_UNIX_CALLER: a proxy is authenticated by its connection.',
    ]);
    expect(problemsOf({ ECT_FORWARDED_HEADER: 'l5d-client-id' })).toEqual([
      'ECT_FORWARDED_HEADER needs ECT_FORWARDED_BY: set that, or remove ECT_FORWARDED_HEADER.',
    ]);
    for (const header of ['X-Forwarded-Client-Cert', 'x-forwarded-user', 'x-spiffe-id', 'authorization']) {
      expect(problemsOf({ ...BUNDLES, ECT_FORWARDED_BY: PROXY, ECT_FORWARDED_HEADER: header })).toEqual([
        'ECT_FORWARDED_HEADER must be x-forwarded-client-cert or l5d-client-id.',
      ]);
    }
    for (const proxy of ['envoy', 'spiffe://example.org', `${PROXY}/`, `${PROXY},`, '*']) {
      expect(problemsOf({ ...BUNDLES, ECT_FORWARDED_BY: proxy })).toEqual([
        expect.stringMatching(/^ECT_FORWARDED_BY must be SPIFFE IDs of proxies separated by commas[:.]/),
      ]);
    }
    expect(problemsOf({ ...BUNDLES, ECT_FORWARDED_BY: PROXY, ECT_ADMINS: PROXY })).toEqual([
      'ECT_ADMINS names a proxy of ECT_FORWARDED_BY, which forwards for others and is never a caller itself.',
    ]);
  });

  test('a certificate without its key, a key without its certificate, and a CA alone are half a configuration', () => {
    const together = 'ECT_TLS_CERT and ECT_TLS_KEY must be set together.';
    expect(problemsOf({ ECT_TLS_CERT: '/c' })).toEqual([together]);
    expect(problemsOf({ ECT_TLS_KEY: '/k' })).toEqual([together]);
    expect(problemsOf({ ECT_TLS_CLIENT_CA: '/a' })).toEqual(['ECT_TLS_CLIENT_CA needs ECT_TLS_CERT and ECT_TLS_KEY.']);
  });
});

// H33 H34: which pages and which names are let through, by what callers have to prove and where the service listens.

import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config/index.ts';

const TLS = { ECT_TLS_CERT: '/tls/cert.pem', ECT_TLS_KEY: '/tls/key.pem', ECT_TLS_CLIENT_CA: '/tls/ca.pem' };
const OPEN = { ECT_LISTEN: '0.0.0.0:8080', ECT_ALLOW_ANONYMOUS: 'yes' };
const browsersOf = (env: Record<string, string>) => readConfig(env).browsers;

describe('pages and names', () => {
  test('on loopback, where callers prove nothing: no pages, and no names but those of loopback', () => {
    expect(browsersOf({})).toEqual({ allowedOrigins: [], rejectsOthers: true, allowedHosts: [] });
  });

  test('where callers prove who they are, any name, and no page is rejected', () => {
    expect(browsersOf(TLS)).toEqual({ allowedOrigins: [], rejectsOthers: false, allowedHosts: undefined });
  });

  test('open beyond loopback: any name, unless names are said; no pages', () => {
    expect(browsersOf(OPEN)).toMatchObject({ rejectsOthers: true, allowedHosts: undefined });
    expect(browsersOf({ ...OPEN, ECT_ALLOWED_HOSTS: 'ect.example.com' }).allowedHosts).toEqual(['ect.example.com']);
  });

  test('names are read separated by commas, and a star is any', () => {
    expect(browsersOf({ ECT_ALLOWED_HOSTS: 'ect.example.com, [2001:db8::1],10.0.0.1' }).allowedHosts).toEqual([
      'ect.example.com',
      '[2001:db8::1]',
      '10.0.0.1',
    ]);
    expect(browsersOf({ ECT_ALLOWED_HOSTS: '*' }).allowedHosts).toBeUndefined();
  });

  test('origins are read as browsers write them', () => {
    expect(browsersOf({ ECT_ALLOWED_ORIGINS: 'https://a.example.org, http://localhost:5173' }).allowedOrigins).toEqual([
      'https://a.example.org',
      'http://localhost:5173',
    ]);
  });

  test.each([
    ['ECT_ALLOWED_ORIGINS', '*'],
    ['ECT_ALLOWED_ORIGINS', 'https://*.example.org'],
    ['ECT_ALLOWED_ORIGINS', 'null'],
    ['ECT_ALLOWED_ORIGINS', 'a.example.org'],
    ['ECT_ALLOWED_ORIGINS', 'https://a.example.org/'],
    ['ECT_ALLOWED_ORIGINS', 'https://a.example.org:443'],
    ['ECT_ALLOWED_ORIGINS', 'https://A.example.org'],
    ['ECT_ALLOWED_ORIGINS', 'file:///index.html'],
    ['ECT_ALLOWED_HOSTS', 'ect.example.com:8080'],
    ['ECT_ALLOWED_HOSTS', 'https://ect.example.com'],
    ['ECT_ALLOWED_HOSTS', 'a,,b'],
  ])('%s=%s is rejected', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(ConfigError);
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^.*${name} must be`, 's'));
  });
});

// What a configuration is rejected for, and settings that many configurations of tests share.

import { ConfigError, readConfig } from '../../src/config/index.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export function problemsOf(env: Env): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

export const TLS = { ECT_TLS_CERT: '/tls/cert.pem', ECT_TLS_KEY: '/tls/key.pem' };
export const CLIENT_TLS = { ...TLS, ECT_TLS_CLIENT_CA: '/tls/ca.pem' };
export const BUNDLES = { ...TLS, ECT_TLS_CLIENT_BUNDLES: 'example.org=/tls/org.pem, partner.example=/tls/partner.pem' };
export const PROXY = 'spiffe://example.org/envoy';

// Explains errors of the connection to a service: it failed, or the peer does not speak gRPC.

import type { ConnectError } from '@connectrpc/connect';
import { SERVER_ID_CODE } from '../callers/server-id.ts';
import type { ServiceOptions } from './client.ts';
import type { Failure } from './exit.ts';

/** The codes of OpenSSL for a chain that ends in no trusted CA. */
const UNKNOWN_CA = /SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/;

/** Returns the failure with the next step. */
export function unreachable(error: ConnectError, { url, ca }: ServiceOptions): Failure {
  const codes = errorCodes(error);
  const failure = (reason: string, message: string, remedy: string) => ({ reason, message, remedy, metadata: {} });
  if (codes.some((code) => /^(ENOTFOUND|EAI_AGAIN)$/.test(code))) {
    const next = 'Check the name in --url or ECT_URL, and that this machine can resolve it.';
    return failure('unreachable', `the host of ${url} has no address (${codes.join(', ')})`, next);
  }
  if (codes.some((code) => /^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code))) {
    const next = 'Check the network between, a firewall for one, and the address in --url or ECT_URL.';
    return failure('unreachable', `no connection to ${url} (${codes.join(', ')})`, next);
  }
  if (codes.some((code) => /^(ENOENT|EACCES|ENOTSOCK)$/.test(code)) && url.startsWith('unix:')) {
    const next = 'Check the path in --url or ECT_URL, and that this user may write the socket there.';
    return failure('unreachable', `no connection to ${url} (${codes.join(', ')})`, next);
  }
  if (codes.includes('ECONNREFUSED')) {
    const next = 'Start it with `ect serve`, or name another with --url.';
    return failure('unreachable', `nothing answers at ${url}`, next);
  }
  if (codes.includes(SERVER_ID_CODE)) {
    const next = 'Check --url and --server-id, and that the certificate of the service is the X.509-SVID of that ID.';
    return failure('tls', `what answers at ${url} has not proved the SPIFFE ID of --server-id`, next);
  }
  if (codes.some((code) => /ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)/.test(code))) {
    const next = 'Check --url or ECT_URL: a service without TLS has an address that begins with http://.';
    return failure('tls', `what answers at ${url} does not speak TLS (${codes.join(', ')})`, next);
  }
  if (codes.some((code) => UNKNOWN_CA.test(code))) {
    const trusted = ca === undefined ? 'a CA that this machine trusts' : `a CA in ${ca}`;
    const next = 'Give the CA of the service with --ca or ECT_CA, and check --url.';
    return failure('tls', `the certificate of ${url} is not of ${trusted} (${codes.join(', ')})`, next);
  }
  if (codes.includes('CERT_HAS_EXPIRED')) {
    const next =
      'Replace the certificate of the service (ECT_TLS_CERT) or of its CA; those of `ect dev-ca` last 30 days.';
    return failure('tls', `the certificate of ${url} has expired`, next);
  }
  if (codes.includes('ERR_TLS_CERT_ALTNAME_INVALID')) {
    const next = 'Use a name of the certificate in --url, or give the SPIFFE ID of the service with --server-id.';
    return failure('tls', `the certificate of ${url} is for another host name`, next);
  }
  if (codes.some((code) => /CERT|ISSUER|ERR_TLS|ERR_SSL|EPROTO/.test(code))) {
    const next = 'Check --url; give the CA of the service with --ca, your own certificate with --cert and --cert-key.';
    return failure('tls', `no TLS connection to ${url} (${codes.join(', ')})`, next);
  }
  const next = 'Check --url: http:// for a service without TLS, https:// for one with it.';
  const message = `what answers at ${url} is not an ECT authority, or it hung up (${error.rawMessage})`;
  return failure('unreachable', message, next);
}

/** Returns the error codes of the system and of TLS in the chain of causes, outermost first. */
function errorCodes(error: unknown): readonly string[] {
  const codes: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
    if (at instanceof AggregateError) codes.push(...at.errors.flatMap((inner) => errorCodes(inner)));
  }
  return codes;
}

// AWS Signature Version 4, from the side of the service: the signature of a request is computed anew and compared.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { KmsError } from './kms-error.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request as it came. Its path is always `/`, without a query. */
export interface SignedRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const SERVICE = 'kms';
const MAX_SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/([0-9]{8})\/([a-z0-9-]+)\/([a-z]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-target'];

/** The region that the request was signed for. Throws the error that AWS answers to a request that is not signed well. */
export function authenticate(request: SignedRequest, { accessKeyId, secretAccessKey }: Credentials): string {
  const { authorization } = request.headers;
  if (authorization === undefined) throw new KmsError('MissingAuthenticationTokenException');
  const [, id = '', day = '', region = '', service = '', names = '', signature = ''] =
    AUTHORIZATION.exec(authorization) ?? [];
  if (signature === '') throw new KmsError('IncompleteSignature');
  if (id !== accessKeyId) throw new KmsError('UnrecognizedClientException');
  const time = header(request, 'x-amz-date');
  if (service !== SERVICE || !time.startsWith(day) || isSkewed(time)) throw new KmsError('InvalidSignatureException');
  const signed = names.split(';');
  if (!MUST_BE_SIGNED.every((name) => signed.includes(name))) throw new KmsError('InvalidSignatureException');

  const scope = `${day}/${region}/${SERVICE}/aws4_request`;
  const canonicalRequest = canonical(request, signed);
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonicalRequest)}`;
  const dayKey = hmac(hmac(hmac(`AWS4${secretAccessKey}`, day), region), SERVICE);
  const expected = hmac(hmac(dayKey, 'aws4_request'), text);
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    // AWS quotes the request too, the session token in its headers included.
    throw new KmsError(
      'InvalidSignatureException',
      `The signature does not match. The request was '${canonicalRequest}'`,
    );
  }
  return region;
}

function canonical(request: SignedRequest, signed: readonly string[]): string {
  const lines = signed.map((name) => `${name}:${header(request, name).trim().replace(/ +/g, ' ')}\n`);
  return [request.method, '/', '', lines.join(''), signed.join(';'), sha256(request.body)].join('\n');
}

function header({ headers }: SignedRequest, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

/** `20261122T021120Z`, more than five minutes from now. */
function isSkewed(time: string): boolean {
  const iso = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  return !(Math.abs(Date.parse(iso) - Date.now()) <= MAX_SKEW_MS);
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

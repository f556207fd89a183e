// The three calls of AWS KMS that a signer needs, without retries, limits and checks. The SDK is loaded at the first use, so that a
// service with a local key does not pay for it.

import type { KMSClient } from '@aws-sdk/client-kms';
import { asKmsError, kmsError } from './failures.ts';

export interface KmsOptions {
  /** Key id, key ARN, alias name or alias ARN. */
  readonly key: string;
  readonly region: string;
  /** Used instead of AWS: an emulator, a private endpoint. */
  readonly endpoint: string | undefined;
  /** The maximum number of connections. */
  readonly connections: number;
  /** The timeout of one call, in milliseconds. */
  readonly callMs: number;
}

/** The description of the key from KMS. It is not trusted: every member may have any value. */
export interface KeyFacts {
  readonly keyId: unknown;
  readonly spec: unknown;
  readonly usage: unknown;
  readonly state: unknown;
}

/** The calls to one region. Each rejects by EctError with one of the signer's reasons, or with that of the signal. */
export interface Kms {
  describeKey(signal: AbortSignal): Promise<KeyFacts>;
  publicKey(signal: AbortSignal): Promise<{ readonly keyArn: unknown; readonly der: Uint8Array }>;
  /** A signature over a SHA-256 digest, in DER if the response is valid; and the ARN of its key. */
  sign(digest: Uint8Array, signal: AbortSignal): Promise<{ readonly keyArn: unknown; readonly signature: Uint8Array }>;
  close(): void;
}

export async function openKms({ key, region, endpoint, connections, callMs }: KmsOptions): Promise<Kms> {
  const sdk = await import('@aws-sdk/client-kms');
  const client: KMSClient = new sdk.KMSClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: callMs,
      httpAgent: { keepAlive: true, maxSockets: connections },
      httpsAgent: { keepAlive: true, maxSockets: connections },
    },
  });

  /** One call, with the timeout `callMs`, until the signal aborts. */
  async function call<T>(
    name: string,
    send: (options: { abortSignal: AbortSignal }) => Promise<T>,
    outer: AbortSignal,
  ) {
    outer.throwIfAborted();
    const abortSignal = AbortSignal.any([outer, AbortSignal.timeout(callMs)]);
    try {
      // The SDK ignores the signal after the headers, so the wait for the body is here.
      return await Promise.race([send({ abortSignal }), whenAborted(abortSignal)]);
    } catch (thrown) {
      outer.throwIfAborted();
      throw asKmsError(thrown, `${name} in ${region}`);
    }
  }

  return {
    async describeKey(signal) {
      const command = new sdk.DescribeKeyCommand({ KeyId: key });
      const { KeyMetadata: facts } = await call('DescribeKey', (options) => client.send(command, options), signal);
      return { keyId: facts?.KeyId, spec: facts?.KeySpec, usage: facts?.KeyUsage, state: facts?.KeyState };
    },
    async publicKey(signal) {
      const command = new sdk.GetPublicKeyCommand({ KeyId: key });
      const answer = await call('GetPublicKey', (options) => client.send(command, options), signal);
      return { keyArn: answer.KeyId, der: bytesOf(answer.PublicKey, `GetPublicKey in ${region}`) };
    },
    async sign(digest, signal) {
      const command = new sdk.SignCommand({
        KeyId: key,
        Message: digest,
        MessageType: 'DIGEST',
        SigningAlgorithm: 'ECDSA_SHA_256',
      });
      const answer = await call('Sign', (options) => client.send(command, options), signal);
      return { keyArn: answer.KeyId, signature: bytesOf(answer.Signature, `Sign in ${region}`) };
    },
    close: () => client.destroy(),
  };
}

/** The SDK returns members of any type, whatever its type declarations say. */
function bytesOf(value: unknown, call: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw kmsError('SIGNER_BAD_OUTPUT', `${call}: the answer lacks what was asked for.`);
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

// A TLS 1.3 client of an attacker, which writes each record itself. It verifies nothing, and reads only what the handshake needs.

import { createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Target } from '../support/target.ts';
import { openTcp } from './socket.ts';
import { expandLabel, hmac, RECORD, sha256, TrafficKeys } from './tls13-keys.ts';

const MESSAGE = {
  clientHello: 1,
  serverHello: 2,
  certificate: 11,
  certificateRequest: 13,
  certificateVerify: 15,
  finished: 20,
};
const EXTENSION = { groups: 10, signatures: 13, protocols: 16, versions: 43, keyShare: 51 };
const X25519 = 29;
const AES_128_GCM_SHA256 = 0x1301;
/** ECDSA with P-256, RSA-PSS with SHA-256 and SHA-384, Ed25519, ECDSA with P-384, RSA with PKCS #1. */
const SIGNATURES = [0x0403, 0x0804, 0x0805, 0x0807, 0x0503, 0x0401];
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');
const NOTHING = Buffer.alloc(0);

export interface Tls13Options {
  readonly protocol: 'h2' | 'http/1.1';
  /** DER: what is sent if the server requests a certificate. Default: none. */
  readonly certificates?: readonly Buffer[];
  /** The bytes of a random signature by the first certificate; undefined: nothing follows the certificates. */
  readonly signatureBytes?: number;
}

export interface Tls13Connection {
  readonly socket: Socket;
  readonly keys: TrafficKeys;
  /** The end of the handshake, which has not been sent. */
  readonly flight: Buffer;
}

/** Opens a connection up to the point where the client has to send its certificate and Finished: `flight`. */
export async function openTls13(target: Target, options: Tls13Options): Promise<Tls13Connection> {
  const socket = await openTcp(target);
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const hello = clientHello(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32), options.protocol);
  socket.write(plainRecord(hello));
  let transcript: Buffer = hello;
  let server: TrafficKeys | undefined;
  let client: TrafficKeys | undefined;
  let master: Buffer = NOTHING;
  let isAsked = false;
  for await (const [type, message] of handshakeMessages(socket, () => server)) {
    transcript = Buffer.concat([transcript, message]);
    if (type === MESSAGE.serverHello) {
      const shared = diffieHellman({ privateKey, publicKey: serverShare(message) });
      const secret = hmac(derived(hmac(Buffer.alloc(32), Buffer.alloc(32))), shared);
      const at = sha256(transcript);
      client = new TrafficKeys(expandLabel(secret, 'c hs traffic', at, 32));
      server = new TrafficKeys(expandLabel(secret, 's hs traffic', at, 32));
      master = hmac(derived(secret), Buffer.alloc(32));
    }
    if (type === MESSAGE.certificateRequest) isAsked = true;
    if (type === MESSAGE.finished) break;
  }
  if (client === undefined) throw new Error('the connection was closed during the handshake');
  const keys = new TrafficKeys(expandLabel(master, 'c ap traffic', sha256(transcript), 32));
  return { socket, keys, flight: lastFlight(transcript, client, isAsked ? options : undefined) };
}

/** A KeyUpdate record; the next one has the next keys. */
export function keyUpdate(keys: TrafficKeys, asks: boolean): Buffer {
  const record = keys.seal(RECORD.handshake, Buffer.from([24, 0, 0, 1, asks ? 1 : 0]));
  keys.update();
  return record;
}

function clientHello(share: Uint8Array, protocol: string): Buffer {
  const extensions = [
    extension(EXTENSION.versions, Buffer.from([2, 3, 4])),
    extension(EXTENSION.groups, vector(2, uint16(X25519))),
    extension(EXTENSION.signatures, vector(2, ...SIGNATURES.map(uint16))),
    extension(EXTENSION.keyShare, vector(2, uint16(X25519), vector(2, share))),
    extension(EXTENSION.protocols, vector(2, vector(1, Buffer.from(protocol)))),
  ];
  const suites = vector(2, uint16(AES_128_GCM_SHA256));
  const fields = [uint16(0x0303), randomBytes(32), vector(1), suites, Buffer.from([1, 0]), vector(2, ...extensions)];
  return handshake(MESSAGE.clientHello, ...fields);
}

function lastFlight(transcript: Buffer, client: TrafficKeys, asked: Tls13Options | undefined): Buffer {
  const records: Buffer[] = [];
  let seen = transcript;
  const add = (message: Buffer) => {
    seen = Buffer.concat([seen, message]);
    for (let at = 0; at < message.length; at += 16_000) {
      records.push(client.seal(RECORD.handshake, message.subarray(at, at + 16_000)));
    }
  };
  if (asked !== undefined) {
    const { certificates = [], signatureBytes } = asked;
    const entries = certificates.map((der) => Buffer.concat([vector(3, der), vector(2)]));
    add(handshake(MESSAGE.certificate, vector(1), vector(3, ...entries)));
    if (certificates.length > 0) {
      // The server waits for it.
      if (signatureBytes === undefined) return Buffer.concat(records);
      const signature = randomBytes(signatureBytes);
      // Below the modulus, or it would be rejected unread.
      signature[0] = 1;
      add(handshake(MESSAGE.certificateVerify, uint16(0x0804), vector(2, signature)));
    }
  }
  add(handshake(MESSAGE.finished, hmac(client.finishedKey, sha256(seen))));
  return Buffer.concat(records);
}

/** The messages of the server's part of the handshake. Ends when the connection does. */
async function* handshakeMessages(socket: Socket, keys: () => TrafficKeys | undefined) {
  let bytes: Buffer = NOTHING;
  let messages: Buffer = NOTHING;
  // `destroyOnReturn: false` leaves the socket open afterwards.
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) {
      const record = bytes.subarray(0, 5 + bytes.readUInt16BE(3));
      bytes = bytes.subarray(record.length);
      if (record[0] === RECORD.changeCipherSpec) continue;
      const opened = record[0] === RECORD.data ? keys()?.open(record) : { type: record[0], bytes: record.subarray(5) };
      if (opened?.type !== RECORD.handshake) throw new Error(`a record of type ${opened?.type} during the handshake`);
      messages = Buffer.concat([messages, opened.bytes]);
      while (messages.length >= 4 && messages.length >= 4 + messages.readUIntBE(1, 3)) {
        const message = messages.subarray(0, 4 + messages.readUIntBE(1, 3));
        messages = messages.subarray(message.length);
        yield [message[0], message] as const;
      }
    }
  }
}

/** The X25519 key in a ServerHello. */
function serverShare(message: Buffer) {
  const sessionAt = 4 + 2 + 32;
  let at = sessionAt + 1 + message.readUInt8(sessionAt) + 2 + 1 + 2;
  while (message.readUInt16BE(at) !== EXTENSION.keyShare) at += 4 + message.readUInt16BE(at + 2);
  const key = Buffer.concat([SPKI_X25519, message.subarray(at + 8, at + 8 + 32)]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

function derived(secret: Uint8Array): Buffer {
  return expandLabel(secret, 'derived', sha256(NOTHING), 32);
}

function plainRecord(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([RECORD.handshake, 3, 1]), vector(2, message)]);
}

function handshake(type: number, ...fields: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([type]), vector(3, ...fields)]);
}

function extension(type: number, value: Buffer): Buffer {
  return Buffer.concat([uint16(type), vector(2, value)]);
}

/** Bytes behind their length, which has this many bytes. */
function vector(lengthBytes: number, ...parts: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

// The traffic keys of TLS 1.3 with TLS_AES_128_GCM_SHA256 (RFC 8446, sections 5.2 and 7): one direction of a connection.

import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';

export const RECORD = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 } as const;

const TAG_BYTES = 16;
const HASH_BYTES = 32;

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function hmac(key: Uint8Array, bytes: Uint8Array): Buffer {
  return createHmac('sha256', key).update(bytes).digest();
}

/** HKDF-Expand-Label, for up to 32 bytes. */
export function expandLabel(secret: Uint8Array, label: string, context: Uint8Array, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = [Buffer.from([0, length, name.length]), name, Buffer.from([context.length]), context, Buffer.from([1])];
  return hmac(secret, Buffer.concat(info)).subarray(0, length);
}

export class TrafficKeys {
  #secret: Buffer;
  #key!: Buffer;
  #iv!: Buffer;
  #sequence = 0;

  constructor(secret: Buffer) {
    this.#secret = secret;
    this.#derive();
  }

  /** The secret that Finished is computed with. */
  get finishedKey(): Buffer {
    return expandLabel(this.#secret, 'finished', Buffer.alloc(0), HASH_BYTES);
  }

  /** The next keys, as after a KeyUpdate. */
  update(): void {
    this.#secret = expandLabel(this.#secret, 'traffic upd', Buffer.alloc(0), HASH_BYTES);
    this.#derive();
  }

  /** One record with these bytes. */
  seal(type: number, bytes: Uint8Array): Buffer {
    const plain = Buffer.concat([bytes, Buffer.from([type])]);
    const head = Buffer.from([RECORD.data, 3, 3, 0, 0]);
    head.writeUInt16BE(plain.length + TAG_BYTES, 3);
    const cipher = createCipheriv('aes-128-gcm', this.#key, this.#nonce()).setAAD(head);
    const sealed = cipher.update(plain);
    cipher.final();
    return Buffer.concat([head, sealed, cipher.getAuthTag()]);
  }

  /** What a record has, and its type. Throws if it was changed. */
  open(record: Buffer): { readonly type: number; readonly bytes: Buffer } {
    const body = record.subarray(5);
    const decipher = createDecipheriv('aes-128-gcm', this.#key, this.#nonce()).setAAD(record.subarray(0, 5));
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    const plain = Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
    let end = plain.length - 1;
    while (end > 0 && plain[end] === 0) end--;
    return { type: plain[end] ?? 0, bytes: plain.subarray(0, end) };
  }

  #derive(): void {
    this.#key = expandLabel(this.#secret, 'key', Buffer.alloc(0), 16);
    this.#iv = expandLabel(this.#secret, 'iv', Buffer.alloc(0), 12);
    this.#sequence = 0;
  }

  #nonce(): Buffer {
    const nonce = Buffer.from(this.#iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8);
    return nonce;
  }
}

// The shared parts of the adapters of pending recordings: the key of a task, and how a failure is stored.

import type { TaskName } from '../authority/index.ts';
import { type ErrorReason, REASONS, type Rejection, reject } from '../errors.ts';
import { expiringKey } from './expiring-keys.ts';

/** The key of a task, 32 bytes. */
export function pendingKey({ wid, jti }: TaskName): Buffer {
  return expiringKey(wid, jti);
}

/** Field violations belong to a request, which a recording no longer has. */
export function writeFailure({ reason, message, metadata: facts }: Rejection): string {
  return JSON.stringify({ reason, message, facts });
}

/** A failure of another release may have a reason that this release does not know. */
export function readFailure(text: string): Rejection {
  try {
    const { reason, message, facts } = JSON.parse(text) as Omit<Rejection, 'metadata'> & {
      readonly facts: Rejection['metadata'];
    };
    if (isReason(reason)) return { reason, message: String(message), metadata: facts };
  } catch {
    // Not written by this service, so INTERNAL is returned.
  }
  return reject('INTERNAL', 'The stored reason of the rejection cannot be read.');
}

function isReason(reason: string): reason is ErrorReason {
  return Object.hasOwn(REASONS, reason);
}

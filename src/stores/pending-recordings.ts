// What every adapter of pending recordings has in common: how it names a task, and how it writes why a recording failed.

import type { TaskName } from '../authority/index.ts';
import { type ErrorReason, REASONS, type Rejection, reject } from '../errors.ts';
import { expiringKey } from './expiring-keys.ts';

/** The key of a task, 32 bytes. */
export function pendingKey({ wid, jti }: TaskName): Buffer {
  return expiringKey(wid, jti);
}

/** Field violations are of a request, and there is none any more. */
export function writeFailure({ reason, message, metadata: facts }: Rejection): string {
  return JSON.stringify({ reason, message, facts });
}

/** What another release wrote may have a reason that this one does not know. */
export function readFailure(text: string): Rejection {
  try {
    const { reason, message, facts } = JSON.parse(text) as Omit<Rejection, 'metadata'> & {
      readonly facts: Rejection['metadata'];
    };
    if (isReason(reason)) return { reason, message: String(message), metadata: facts };
  } catch {
    // Not what this service writes: said as what it is.
  }
  return reject('INTERNAL', 'The stored reason of the rejection cannot be read.');
}

function isReason(reason: string): reason is ErrorReason {
  return Object.hasOwn(REASONS, reason);
}

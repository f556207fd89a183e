// Converts the errors of a configuration check into sentences for the operator. Other errors are thrown.

import { StartError } from '../data-directory/data-dir.ts';
import { EctError } from '../errors.ts';
import { KmsKeyError } from '../signers/aws-kms/index.ts';
import { KeyFileError } from '../signers/local/index.ts';

/** Returns the faults that ended a check: none, one, or all that it collected. */
export async function problemsOf(check: Promise<unknown>): Promise<readonly string[]> {
  try {
    await check;
    return [];
  } catch (error) {
    if (error instanceof AggregateError) return error.errors.map(messageOf);
    // One line for each fault.
    return error instanceof KeyFileError ? error.message.split('\n') : [messageOf(error)];
  }
}

function messageOf(error: unknown): string {
  const isOurs = [StartError, KeyFileError, KmsKeyError, EctError].some((kind) => error instanceof kind);
  if (isOurs && error instanceof Error) return error.message;
  throw error;
}

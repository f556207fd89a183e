// What a check of the configuration found, as sentences for the operator. What is no mistake of his is thrown on.

import { StartError } from '../data-directory/data-dir.ts';
import { EctError } from '../errors.ts';
import { KmsKeyError } from '../signers/aws-kms/index.ts';
import { KeyFileError } from '../signers/local/index.ts';

/** The mistakes that end a check: none, one, or as many as it collected. */
export async function problemsOf(check: Promise<unknown>): Promise<readonly string[]> {
  try {
    await check;
    return [];
  } catch (error) {
    if (error instanceof AggregateError) return error.errors.map(messageOf);
    // A line a mistake.
    return error instanceof KeyFileError ? error.message.split('\n') : [messageOf(error)];
  }
}

function messageOf(error: unknown): string {
  const isOurs = [StartError, KeyFileError, KmsKeyError, EctError].some((kind) => error instanceof kind);
  if (isOurs && error instanceof Error) return error.message;
  throw error;
}

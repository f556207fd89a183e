// How a start ends without a service.

import { StartError } from '../data-directory/data-dir.ts';
import { KmsKeyError } from '../signers/aws-kms/index.ts';
import { KeyFileError } from '../signers/local/index.ts';

/** The service was asked to stop before it accepted calls. Everything that was started has been undone. */
export class StartStopped extends Error {
  override readonly name = 'StartStopped';

  constructor(options?: ErrorOptions) {
    super('The service is stopping.', options);
  }
}

/** Whether an error tells the operator what to correct, so that a stack trace would only distract. */
export function isOperatorError(error: unknown): error is Error {
  return error instanceof StartError || error instanceof KeyFileError || error instanceof KmsKeyError;
}

/**
 * What a start that was asked to stop ends with. Whatever it lacked is no longer needed; damage and bugs are reported all the same.
 */
export function endOfStart(error: unknown, stop: AbortSignal | undefined): unknown {
  return stop?.aborted === true && isOperatorError(error) ? new StartStopped({ cause: error }) : error;
}

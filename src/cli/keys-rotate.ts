// `ect keys rotate`: activates the next root key. A request has an id and names the key that it replaces, so if its response is lost it
// can be repeated, and the key is rotated once.

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { Command } from 'commander';
import {
  ExistingKeySchema,
  GeneratedKeySchema,
  type RotateKeyRequest,
  type RotateKeyResponse,
  RotateKeyResponseSchema,
} from '../gen/ect/v1/admin_pb.ts';
import { KeyState } from '../gen/ect/v1/keys_pb.ts';
import type { Service } from './client.ts';
import { type ConfirmOptions, confirm, withConfirmation } from './confirm.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { type ChangeOptions, printChange, REFUSED, withChange } from './key-change.ts';
import { type Io, plain, printMessage, remark } from './output.ts';

interface RotateOptions extends ChangeOptions, ConfirmOptions {
  readonly next?: string;
  readonly urgent?: true;
  readonly requestId?: string;
  readonly expect?: string;
}

export function rotateCommand(io: Io): Command {
  const command = new Command('rotate')
    .description(
      'announce the next key; when no cache of the key set is older than it, it signs, and the key before it retires',
    )
    .option(
      '--next <key>',
      'the next key exists already: its name in the key management service (AWS KMS: id or ARN); without it the service makes one',
    )
    .option(
      '--urgent',
      'use it immediately, announced or not: verifiers with a cached key set cannot verify its tokens for a while',
    )
    .option(
      '--request-id <id>',
      'repeat a request whose response was lost: the key is rotated once (default: a new id)',
    )
    .option(
      '--expect <kid>',
      'change nothing if another root key than this one signs (default: the one that signs now)',
    );
  const examples = [
    'ect keys rotate',
    'ect keys rotate --next "$KEY_ARN" --note "yearly"',
    'ect keys rotate --urgent --yes --note "laptop was stolen"',
  ];
  withHelp(withChange(withConfirmation(command, ', with --urgent')), { examples, rejected: REFUSED });
  return command.action((options: RotateOptions) =>
    attemptCalls(io, options, async ({ admin }) => {
      const { urgent = false } = options;
      if (urgent)
        await confirm(
          io,
          options,
          'The key in use will not sign any more, and verifiers that have cached the key set will not be able to verify new tokens for a while.',
        );
      const response = await requestRotation(io, admin, options);
      if (options.json) printMessage(io, RotateKeyResponseSchema, response);
      else if (urgent) printChange(io, response, 'in use from now on', 'it was put to use before; nothing was added');
      else printChange(io, response, 'announced', 'it was announced before; nothing was added');
    }),
  );
}

/** The pauses before further attempts when the outcome is unknown. */
const PAUSES_MS = [500, 2_000];

/**
 * Requests a rotation, and repeats the request if the response is lost.
 *
 * @internal Exported for a test that loses responses.
 */
export async function requestRotation(
  io: Io,
  admin: Pick<Service['admin'], 'listKeys' | 'rotateKey'>,
  options: Pick<RotateOptions, 'next' | 'urgent' | 'note' | 'requestId' | 'expect'>,
): Promise<RotateKeyResponse> {
  const { next: name, urgent = false, note = '', requestId = randomUUID() } = options;
  const expectedCurrentKid = options.expect ?? (await signingRoot(admin));
  for (const pauseMs of [...PAUSES_MS, undefined]) {
    try {
      return await admin.rotateKey({ source: sourceOf(name), urgent, note, requestId, expectedCurrentKid });
    } catch (error) {
      if (!isOpen(error)) throw error;
      if (pauseMs === undefined || error.code === Code.DeadlineExceeded) {
        const again = [
          `--request-id ${requestId}`,
          ...(expectedCurrentKid === '' ? [] : [`--expect ${expectedCurrentKid}`]),
        ];
        remark(io, `To retry without rotating twice, repeat the command with ${plain(again.join(' '))}`);
        throw error;
      }
      await pause(pauseMs);
    }
  }
  throw new TypeError('the last attempt returns or throws');
}

function sourceOf(name: string | undefined): RotateKeyRequest['source'] {
  if (name === undefined) return { case: 'generated', value: create(GeneratedKeySchema) };
  return { case: 'existing', value: create(ExistingKeySchema, { name }) };
}

/** Whether the outcome is unknown: the rotation may have been done. */
function isOpen(error: unknown): error is ConnectError {
  return error instanceof ConnectError && OPEN.has(error.code);
}

const OPEN: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Aborted, Code.DeadlineExceeded, Code.Unknown]);

/** Returns the newest active root key; empty if there is none. */
async function signingRoot(admin: Pick<Service['admin'], 'listKeys'>): Promise<string> {
  let [kid, pageToken] = ['', ''];
  do {
    const page = await admin.listKeys({ pageToken });
    const roots = page.keys.filter(({ generation, key }) => generation !== undefined && key?.state === KeyState.ACTIVE);
    kid = roots.at(-1)?.key?.kid ?? kid;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return kid;
}

// `ect keys`: shows and changes the signing keys. Changes are for administrators.

import { create } from '@bufbuild/protobuf';
import { Command, Option } from 'commander';
import {
  type ListKeysResponse,
  ListKeysResponseSchema,
  RetireKeyResponseSchema,
  RevokeKeyResponseSchema,
} from '../gen/ect/v1/admin_pb.ts';
import { type Service, type ServiceOptions, withService } from './client.ts';
import { type ConfirmOptions, confirm, withConfirmation } from './confirm.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { type ChangeOptions, printChange, REFUSED, withChange } from './key-change.ts';
import { certifierOf, keyRows, stateName } from './key-rows.ts';
import { rotateCommand } from './keys-rotate.ts';
import { withKid } from './kid-argument.ts';
import { columns, type Io, type OutputOptions, plain, print, printMessage, remark, utc, withOutput } from './output.ts';
import { type Moment, moment } from './values.ts';

type Options = ServiceOptions & OutputOptions;

export function keysCommand(io: Io): Command {
  const commands = [listCommand(io), rotateCommand(io), retireCommand(io), revokeCommand(io)];
  const command = new Command('keys').description('list, rotate, retire and revoke signing keys (for administrators)');
  for (const each of commands) command.addCommand(each);
  return command;
}

/** A hint about `--since`: an earlier time of compromise can be stated later. */
const EARLIER = 'Where it turns out that the key was compromised before that, state the earlier time with --since.';

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('every root key, the delegated keys whose tokens may be valid, and which root key certified them')
    .option('--past', 'delegated keys that ended long ago, too: every key that there ever was');
  const examples = ['ect keys list', 'ect keys list --past --json'];
  withHelp(withOutput(withService(command)), { examples, rejected: REFUSED });
  return command.action((options: Options & { readonly past?: true }) =>
    attemptCalls(io, options, async (clients) => {
      const response = await listAll(clients, options.past === true);
      if (options.json) printMessage(io, ListKeysResponseSchema, response);
      else printAll(io, response);
    }),
  );
}

async function listAll({ admin }: Service, past: boolean): Promise<ListKeysResponse> {
  const all = create(ListKeysResponseSchema);
  let pageToken = '';
  do {
    const page = await admin.listKeys({ past, pageToken });
    all.keys.push(...page.keys);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
}

function printAll(io: Io, { keys }: ListKeysResponse): void {
  for (const key of keys) {
    const { kid = '', certificate = '' } = key.key ?? {};
    print(io, `${stateName(key).padEnd(9)}  ${plain(kid)}`);
    const certifier = certificate === '' ? undefined : certifierOf(key, keys);
    const certified = certificate === '' ? '' : (certifier ?? 'NO ROOT KEY OF THIS LIST: do not trust it');
    for (const line of columns([...keyRows(key), ['certified by', certified]])) print(io, `  ${line}`);
  }
}

function retireCommand(io: Io): Command {
  const command = withKid(
    new Command('retire').description('end a delegated key that still signs; its tokens stay valid until they expire'),
  );
  withHelp(withChange(withConfirmation(command)), { examples: ['ect keys retire "$KID"'], rejected: REFUSED });
  return command.action((kid: string, options: ChangeOptions & ConfirmOptions) =>
    attemptCalls(io, options, async ({ admin }) => {
      await confirm(io, options, `The key ${kid} will never sign again.`);
      const response = await admin.retireKey({ kid, note: options.note ?? '' });
      if (options.json) printMessage(io, RetireKeyResponseSchema, response);
      else printChange(io, response, 'retired', 'it had retired before; nothing was added');
    }),
  );
}

function revokeCommand(io: Io): Command {
  const command = new Command('revoke')
    .description('declare a key compromised, for ever: none of its tokens is accepted any more')
    .addOption(
      new Option(
        '--since <time>',
        'what was recorded before stays sound (2026-01-31T12:00:00Z; default: now)',
      ).argParser(moment),
    );
  withHelp(withChange(withConfirmation(withKid(command))), {
    examples: ['ect keys revoke "$KID" --note "laptop was stolen"', 'ect keys rotate --urgent'],
    rejected: REFUSED,
  });
  return command.action((kid: string, options: ChangeOptions & ConfirmOptions & { readonly since?: Moment }) =>
    attemptCalls(io, options, async ({ admin }) => {
      const { since, note = '' } = options;
      const from = since === undefined ? 'now' : utc(since.seconds);
      await confirm(
        io,
        options,
        `No token of the key ${kid} is accepted any more, and its tasks are tainted but for those that were recorded before ${from}.`,
      );
      const response = await admin.revokeKey({
        kid,
        note,
        ...(since === undefined ? {} : { compromisedSince: since }),
      });
      if (options.json) printMessage(io, RevokeKeyResponseSchema, response);
      else printChange(io, response, 'revoked', 'it was revoked before; nothing was added');
      remark(io, EARLIER);
      remark(io, 'If it was the key in use: `ect keys rotate --urgent`.');
    }),
  );
}

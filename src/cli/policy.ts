// `ect policy`: checks a policy, tests it, explains a decision, and prints the built-in policy. It does not call a service.

import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { ACTIONS } from '../authority/index.ts';
import { type Case, readQuestion } from '../policy/index.ts';
import type { LedgerDatabases } from './audit-database.ts';
import { EXIT, mistakeCount, WrongUsage } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';
import { DEFAULT_ISSUER, decide, limitRows, printDecision, readFiles, verdict } from './policy-decisions.ts';
import { digestCommand, recordedCommand } from './recorded-policies.ts';
import { callerName, each, issuerName, lookupId, seconds } from './values.ts';

interface FileOptions extends OutputOptions {
  readonly limits?: string;
}

export function policyCommand(io: Io, databases: LedgerDatabases): Command {
  const command = new Command('policy').description(
    'check, test, explain and print policies: what callers may do, and what they were permitted to do when an entry was recorded',
  );
  const ofFiles = [checkCommand(io), testCommand(io), explainCommand(io), printCommand(io), digestCommand(io)];
  for (const each of [...ofFiles, recordedCommand(io, databases)]) command.addCommand(each);
  return command;
}

function checkCommand(io: Io): Command {
  const command = withFiles(new Command('check').description('validate a policy file against the schema'));
  withHelp(withJson(command, ['valid', 'policies']), {
    examples: ['ect policy check policy.cedar', 'ect policy check policy.cedar --limits limits.json'],
    rejected: 'the files have mistakes, each with its line and column',
  });
  return command.action((file: string, options: FileOptions) =>
    attempt(io, options, async () => {
      const { policy, warnings } = await readFiles(io, file, options);
      for (const { line, column, message } of warnings) {
        remark(io, paint(io.stderr, 'yellow', `! ${plain(`${file}:${line}:${column}: ${message}`)}`));
      }
      const ids = policy.policies.map(({ id }) => id);
      if (options.json) printJson(io, { valid: true, policies: ids });
      else if (ids.length === 0) print(io, '✓ no policies: nothing is permitted');
      else
        print(
          io,
          paint(io.stdout, 'green', `✓ ${ids.length} ${ids.length === 1 ? 'policy' : 'policies'}: `) +
            plain(ids.join(', ')),
        );
    }),
  );
}

function testCommand(io: Io): Command {
  const command = withFiles(new Command('test').description('run the test cases of a file against a policy')).argument(
    '<cases>',
    'JSON: the cases; - for stdin',
  );
  withHelp(withJson(command, ['cases', 'failed']), {
    examples: ['ect policy test policy.cedar policy.cases.json'],
    rejected: 'a case was decided otherwise, or a file has mistakes',
  });
  return command.action((file: string, casesFile: string, options: FileOptions) =>
    attempt(io, options, async () => {
      const { policy, limits, cases, issuer } = await readFiles(io, file, { ...options, cases: casesFile });
      const results = cases.map((each) => ({ each, ...decide(policy, limits, each, issuer) }));
      const failed = results.filter(({ each, allowed, policies }) => !isAsExpected(each, allowed, policies));
      if (failed.length > 0) io.exitCode = EXIT.rejected;
      if (options.json) {
        printJson(io, {
          cases: results.length,
          failed: failed.map(({ each, allowed, policies }) => ({ name: each.name, allowed, policies: [...policies] })),
        });
        return;
      }
      for (const { each, ...decision } of failed) {
        print(io, `${paint(io.stdout, 'red', `✗ ${plain(each.name)}`)}: ${plain(verdict(decision))}`);
      }
      const passed = results.length - failed.length;
      print(io, `${passed} of ${results.length} cases are decided as expected`);
    }),
  );
}

function isAsExpected({ allowed: expected, by }: Case, allowed: boolean, policies: readonly string[]): boolean {
  return allowed === expected && (by === undefined || by.join('\n') === policies.toSorted().join('\n'));
}

interface ExplainOptions extends FileOptions {
  readonly caller: string;
  readonly proof?: string;
  readonly proofBy?: string;
  readonly administrator?: true;
  readonly action: string;
  readonly iss?: string;
  readonly aud?: readonly string[];
  readonly execAct?: string;
  readonly wid?: string;
  readonly ttl?: number;
  readonly level?: string;
  readonly inpHash?: true;
  readonly outHash?: true;
  readonly ownsWorkflow?: true;
  readonly kind?: string;
  readonly issuer: string;
}

function explainCommand(io: Io): Command {
  const command = withFiles(
    new Command('explain').description('explain how a policy decides one call, and which policies do'),
  )
    .addOption(
      new Option('--caller <id>', 'a SPIFFE ID, the name of an OIDC subject (a URI), or anonymous')
        .argParser(callerName)
        .makeOptionMandatory(),
    )
    .addOption(new Option('--proof <method>', 'what proved it').choices(['mtls', 'jwt', 'wimse', 'forwarded', 'unix']))
    .option('--proof-by <name>', 'who vouched: the proxy, or the OIDC provider')
    .addOption(new Option('--action <method>', 'what is called').choices(ACTIONS).makeOptionMandatory())
    .option('--administrator', 'the caller is one of ECT_ADMINS')
    .option('--iss <uri>', 'the name that a token carries, or the issuer of an entry (default: the caller)')
    .addOption(new Option('--aud <name>', 'audience (repeatable)').argParser(each))
    .option('--exec-act <name>', 'the action of the task')
    .addOption(new Option('--wid <uuid>', 'the workflow').argParser(lookupId))
    .addOption(new Option('--ttl <duration>', 'the lifetime of the token (default 10m)').argParser(seconds))
    .addOption(new Option('--level <level>', 'the level of the token (default L2)').choices(['L1', 'L2', 'L3']))
    .option('--inp-hash', 'the token binds its input')
    .option('--out-hash', 'the token binds its output')
    .option('--owns-workflow', 'the caller recorded the first task of the workflow')
    .addOption(
      new Option('--kind <kind>', 'what an entry is about (default task)').choices(['task', 'taint', 'key', 'loss']),
    )
    .option('--issuer <uri>', 'ECT_ISSUER of the service', issuerName, DEFAULT_ISSUER);
  withHelp(withJson(command, ['allowed', 'policies', 'errors', 'beyond', 'limits']), {
    examples: [
      'ect policy explain policy.cedar --caller spiffe://prod.example/payments --action Issue --exec-act pay',
      'ect policy explain policy.cedar --caller spiffe://prod.example/audit --action ListEntries --iss spiffe://prod.example/payments',
    ],
    rejected: 'the call is not permitted, or a file has mistakes',
  });
  return command.action((file: string, options: ExplainOptions) =>
    attempt(io, options, async () => {
      const { policy, limits } = await readFiles(io, file, options);
      const asked = readQuestion(questionIn(options));
      if (!('question' in asked))
        throw new WrongUsage(`the question has ${mistakeCount(asked.length)}:`, { faults: asked });
      const decision = decide(policy, limits, asked, options.issuer);
      if (!decision.allowed) io.exitCode = EXIT.rejected;
      if (options.json)
        printJson(io, {
          allowed: decision.allowed,
          policies: [...decision.policies],
          errors: [...decision.errors],
          beyond: decision.beyond ?? '',
          limits: Object.fromEntries(limitRows(decision.limits)),
        });
      else printDecision(io, policy, decision);
    }),
  );
}

/** Converts the options into a question in the form of a test case. Options that were not given are omitted. */
function questionIn(options: ExplainOptions) {
  const { caller, proof, proofBy, administrator, action, iss, aud, execAct, wid, ttl, level } = options;
  const { inpHash, outHash, ownsWorkflow, kind } = options;
  const members = {
    // The name of an OIDC subject is never a SPIFFE ID.
    caller: caller === 'anonymous' ? caller : caller.startsWith('spiffe:') ? { workload: caller } : { oidc: caller },
    proof,
    proof_by: proofBy,
    action,
    administrator,
    iss: iss ?? (caller === 'anonymous' ? options.issuer : undefined),
    aud: aud && [...aud],
    exec_act: execAct,
    wid,
    ttl,
    level,
    inp_hash: inpHash,
    out_hash: outHash,
    owns_workflow: ownsWorkflow,
    kind,
  };
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function printCommand(io: Io): Command {
  const command = new Command('print')
    .description('print the built-in policy, as a starting point')
    .option('--schema', 'print the schema that policies are held against');
  withHelp(command, {
    examples: ['ect policy print > policy.cedar', 'ect policy print --schema > ect.cedarschema'],
  });
  return command.action(({ schema }: { readonly schema?: true }) => {
    const name = schema ? 'ect.cedarschema' : 'default.cedar';
    print(io, readFileSync(new URL(`../../policy/${name}`, import.meta.url), 'utf8').trimEnd());
  });
}

function withFiles(command: Command): Command {
  return command
    .argument('<file>', 'the policy, as ECT_POLICY_FILE names it; - for stdin')
    .option('--limits <file>', 'the groups and limits beside it, as ECT_POLICY_LIMITS names them');
}

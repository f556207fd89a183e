// Prints the result of an audit: each fault, the counts, and whether the verifier key is trusted.

import type { AuditFault, AuditReport, ShownCheckpoint } from '../ledger/index.ts';
import type { ProvenanceFacts } from './audit-provenance.ts';
import type { AcceptedLoss } from './audit-source.ts';
import { columns, type Io, paint, plain, print, printJson, remark } from './output.ts';

const MAX_FAULTS_SHOWN = 100;

/** The result of an audit. */
export interface Outcome {
  readonly report: AuditReport;
  readonly faults: readonly AuditFault[];
  readonly faultCount: number;
  /** The index of the first audited entry. Earlier entries were audited before. */
  readonly from: number;
  /** The number of entries without stored content. Their leaf is checked; their content cannot be. */
  readonly erased: number;
  /** The high-water mark beside the file, if it was available. */
  readonly highWater: ShownCheckpoint | undefined;
  /** The number of unreadable pages of the mark. They may have contained a newer checkpoint. */
  readonly damagedMarkPages: number;
  /** The accepted losses among the audited entries. */
  readonly losses: readonly AcceptedLoss[];
  readonly provenance: ProvenanceFacts;
  readonly keys: {
    readonly announced: number;
    /** The number of tokens that were recorded before the first key was announced. */
    readonly usesBefore: number;
    readonly keySet: string;
  };
}

/** Prints the outcome as text. `isTrusted`: the caller has supplied the verifier key. */
export function printOutcome(io: Io, outcome: Outcome, verifierKey: string, isTrusted: boolean): void {
  const { report, faults, faultCount, erased, keys, from, highWater, damagedMarkPages, losses, provenance } = outcome;
  for (const { index, fault } of faults.slice(0, MAX_FAULTS_SHOWN)) {
    print(io, `${paint(io.stdout, 'red', '✗')} ${index === null ? 'ledger' : `index ${index}`}: ${plain(fault)}`);
  }
  if (faultCount > MAX_FAULTS_SHOWN) print(io, `… ${faultCount} faults in all`);
  if (faultCount === 0) {
    print(io, paint(io.stdout, 'green', '✓ every leaf, every commitment and the root hold'));
  }
  for (const { index, shown } of losses) {
    const what = `${shown} entries had been shown, ${index} of that history were left`;
    print(io, `${paint(io.stdout, 'red', '!')} index ${index}: an accepted loss: ${what}`);
  }
  const rows = [
    ['entries', String(report.size)],
    ['read now', from === 0 ? '' : `${Math.max(0, report.size - from)}, from index ${from} on`],
    ['without token', erased === 0 ? '' : String(erased)],
    ['provenance', provenance.count === 0 ? '' : provenanceText(provenance)],
    ['signing keys', `${keys.announced} announced`],
    ['key set', keys.keySet],
    ['before keys', keys.usesBefore === 0 ? '' : `${keys.usesBefore} tokens are older than the first announcement`],
    ['high-water mark', highWater === undefined ? '' : `${highWater.size} entries were shown`],
    ['root', Buffer.from(report.root).toString('base64')],
    ['verifier key', verifierKey],
  ] as const;
  for (const line of columns(rows)) print(io, `  ${line}`);
  printMissing(io, provenance);
  if (damagedMarkPages > 0) {
    const pages = damagedMarkPages === 1 ? '1 page' : `${damagedMarkPages} pages`;
    remark(io, `${pages} of ledger.mark cannot be read: a newer checkpoint may have been there.`);
  }
  if (isTrusted) return;
  remark(io, 'The key came from the ledger itself, so this shows that it is consistent, not whose it is.');
  remark(io, 'Keep the key (`ect checkpoint --key`) and bring it next time with --ledger-key.');
}

function provenanceText({ count, policies, keptPolicies }: ProvenanceFacts): string {
  const entries = `${count} ${count === 1 ? 'entry says' : 'entries say'} who had ${count === 1 ? 'it' : 'them'} recorded`;
  if (policies === 0) return entries;
  const kept = keptPolicies === undefined ? '' : `, ${keptPolicies === policies ? 'all' : keptPolicies} kept`;
  return `${entries}, under ${policies} ${policies === 1 ? 'policy' : 'policies'}${kept}`;
}

/** A missing provenance is not a fault, because replicas of an older release do not write it. */
function printMissing(io: Io, { gaps, gapCount, policies, keptPolicies = policies }: ProvenanceFacts): void {
  if (gapCount > 0) {
    const named = `${gaps.join(', ')}${gapCount > gaps.length ? ` and ${gapCount - gaps.length} more` : ''}`;
    remark(
      io,
      `No provenance, although entries before have one: index ${named}. A release before wrote it, or it was removed.`,
    );
  }
  if (keptPolicies < policies) {
    remark(
      io,
      `${policies - keptPolicies} of the policies are not kept: compare your files with \`ect policy digest\`.`,
    );
  }
}

function provenanceJson({ count, gaps, gapCount, policies, keptPolicies }: ProvenanceFacts) {
  const kept = keptPolicies === undefined ? {} : { keptPolicies };
  return { entries: count, gapCount, gaps: [...gaps], policies, ...kept };
}

/** Prints the outcome as JSON. */
export function printAsJson(io: Io, outcome: Outcome, verifierKey: string, isTrusted: boolean): void {
  const { report, faults, faultCount, erased, keys, from, highWater, damagedMarkPages, losses, provenance } = outcome;
  printJson(io, {
    ok: faultCount === 0,
    fromIndex: String(from),
    treeSize: String(report.size),
    rootHash: Buffer.from(report.root).toString('base64'),
    verifierKey,
    keySource: isTrusted ? 'argument' : 'ledger',
    withoutToken: erased,
    ...(highWater === undefined
      ? {}
      : {
          mark: {
            treeSize: String(highWater.size),
            ...(damagedMarkPages === 0 ? {} : { damagedPages: damagedMarkPages }),
          },
        }),
    ...(losses.length === 0
      ? {}
      : { acceptedLosses: losses.map(({ index, shown }) => ({ index, shownSize: String(shown) })) }),
    provenance: provenanceJson(provenance),
    keys: { ...keys },
    faultCount,
    faults: faults.slice(0, MAX_FAULTS_SHOWN).map(({ index, fault }) => ({ index, fault })),
  });
}

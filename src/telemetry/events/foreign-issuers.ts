// Events of the keys of foreign issuers.

import { cleanText, MAX_WHY_LENGTH } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** The usable keys of a foreign issuer, and a sentence for each unusable one. */
export interface ForeignKeys {
  readonly keys: readonly unknown[];
  readonly problems: readonly string[];
}

export function foreignIssuerEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** The keys of a foreign issuer were fetched. `isNews`: the keys or the problems differ from before. */
    foreignKeysTaken(iss: string, { keys, problems }: ForeignKeys, isNews: boolean): void {
      metrics.foreignKeyFetches.inc({ issuer: iss, outcome: 'taken' });
      metrics.foreignKeys.set({ issuer: iss }, keys.length);
      if (!isNews) return;
      const line = { event: 'foreign-keys-taken', issuer: cleanText(iss), keys: keys.length };
      if (problems.length === 0) lines.info(line);
      else lines.warn({ ...line, refused: problems.join('; ').slice(0, MAX_WHY_LENGTH) });
    },

    /**
     * The keys could not be fetched. The last valid ones are used until they are too old. `isNews`: the failure differs from the last
     * report.
     */
    foreignKeysFailed(iss: string, why: string, isNews: boolean): void {
      metrics.foreignKeyFetches.inc({ issuer: iss, outcome: 'failed' });
      if (isNews) {
        lines.error({ event: 'foreign-keys-failed', issuer: cleanText(iss), why: why.slice(0, MAX_WHY_LENGTH) });
      }
    },

    /** The last valid keys of a foreign issuer are too old: its tokens are rejected until new keys are fetched. */
    foreignKeysExpired(iss: string): void {
      metrics.foreignKeys.set({ issuer: iss }, 0);
      lines.error({ event: 'foreign-keys-expired', issuer: cleanText(iss) });
      flushNow();
    },

    /** The operator removed a foreign issuer from the trust file. */
    foreignIssuerRemoved(iss: string): void {
      metrics.foreignKeys.remove({ issuer: iss });
      lines.info({ event: 'foreign-issuer-removed', issuer: cleanText(iss) });
    },
  };
}

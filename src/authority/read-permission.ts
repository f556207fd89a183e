// What a caller may read of the ledger. An entry that it may not read looks like a missing one: both take the same steps and get the same
// rejection.

import { KEY_SCOPE } from '../key-manager/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import {
  type Action,
  type AskedEntry,
  type Authorizer,
  isPermitted,
  type PermissionQuestion,
  type Resource,
} from './authorizer.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { defaultIssuer } from './issuer.ts';
import { LOSS_SCOPE } from './loss-entry.ts';
import { MARK_SCOPE } from './marks.ts';

/** A `wid` that no token has: it contains control characters. */
export const NO_WORKFLOW = '\0';

/** Checked instead of a missing entry. */
const NO_ENTRY: AskedEntry = { kind: 'task', iss: '', wid: NO_WORKFLOW };

/** One call that reads. */
export interface Reader {
  /** Whether every caller may read everything, so that no permission is checked. */
  readonly seesAll: boolean;
  /** Undefined: the entry does not exist. */
  maySee(entry: AskedEntry | undefined): Promise<boolean>;
  maySeeWorkflow(wid: string): Promise<boolean>;
  /** Whether it may see tasks of this issuer at all, so that their existence is no secret. */
  mayKnowIssuer(iss: string): Promise<boolean>;
}

const SEES_ALL: Reader = {
  seesAll: true,
  maySee: async () => true,
  maySeeWorkflow: async () => true,
  mayKnowIssuer: async () => true,
};

/** `isList`: an entry that is omitted from a list is not a rejection, and is not reported. */
export function readerFor(context: AuthorityContext, caller: Caller, action: Action, isList = false): Reader {
  const { authorizer } = context;
  if (authorizer === undefined || authorizer.isBuiltIn) return SEES_ALL;
  const ownsWorkflow = rememberOwned(context, caller);
  let isReported = isList;
  async function permits(asked: Authorizer, resource: Resource, wid: string, isThere: boolean): Promise<boolean> {
    const owns_workflow = asked.asksFor('owns_workflow') && (await ownsWorkflow(wid));
    const question: PermissionQuestion = { action, resource, context: { owns_workflow } };
    if (isReported || !isThere) return asked.authorize(caller, question).allowed;
    const isSeen = isPermitted(asked, caller, question);
    isReported = !isSeen;
    return isSeen;
  }
  return {
    seesAll: false,
    async maySee(entry) {
      const [asked, isThere] = [entry ?? NO_ENTRY, entry !== undefined];
      const isSeen = await permits(authorizer, { kind: 'entry', entry: asked }, asked.wid, isThere);
      return isSeen && isThere;
    },
    maySeeWorkflow: (wid) => permits(authorizer, { kind: 'workflow', wid }, wid, true),
    mayKnowIssuer: (iss) => permits(authorizer, { kind: 'entry', entry: { ...NO_ENTRY, iss } }, NO_WORKFLOW, false),
  };
}

/**
 * Whether the caller's own task was recorded first in a workflow; each workflow is looked up once. Later tasks do not count: a caller
 * that learned a `wid` could otherwise admit itself.
 */
function rememberOwned({ ledger, policy }: AuthorityContext, caller: Caller): (wid: string) => Promise<boolean> {
  const known = new Map<string, boolean>();
  const author = defaultIssuer(caller, policy.issuer);
  return async (wid) => {
    // Also without a workflow, so that existing and missing entries take the same lookups.
    const scope = wid === '' ? NO_WORKFLOW : wid;
    let ownsWorkflow = known.get(scope);
    if (ownsWorkflow === undefined) {
      const [first] = await ledger.list({ scope, startIndex: 0, limit: 1, withContent: false });
      ownsWorkflow = first?.author === author;
      known.set(scope, ownsWorkflow);
    }
    return ownsWorkflow;
  };
}

const KINDS: Readonly<Record<string, AskedEntry['kind']>> = {
  [MARK_SCOPE]: 'taint',
  [KEY_SCOPE]: 'key',
  [LOSS_SCOPE]: 'loss',
};

/** A record for the permission check. */
export function askedAbout({ scope, author }: LedgerRecord): AskedEntry {
  const kind = KINDS[scope];
  return kind === undefined ? { kind: 'task', iss: author, wid: scope } : { kind, iss: author, wid: '' };
}

// What a caller may read of the ledger. What it may not read is answered as if it were not there: the same steps are taken for both, and
// the same rejection is given.

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

/** A workflow that no token names: a `wid` has no control characters. */
export const NO_WORKFLOW = '\0';

/** What is asked about instead of an entry that is not there. */
const NO_ENTRY: AskedEntry = { kind: 'task', iss: '', wid: NO_WORKFLOW };

/** One call that reads. */
export interface Reader {
  /** Every caller may read everything: no permission is checked. */
  readonly seesAll: boolean;
  /** Undefined: the entry is not there. */
  maySee(entry: AskedEntry | undefined): Promise<boolean>;
  maySeeWorkflow(wid: string): Promise<boolean>;
  /** Whether it may see tasks of this issuer as such, so that it is no secret that there are any. */
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
  let isTold = isList;
  async function permits(asked: Authorizer, resource: Resource, wid: string, isThere: boolean): Promise<boolean> {
    const owns_workflow = asked.asksFor('owns_workflow') && (await ownsWorkflow(wid));
    const question: PermissionQuestion = { action, resource, context: { owns_workflow } };
    if (isTold || !isThere) return asked.authorize(caller, question).allowed;
    const isSeen = isPermitted(asked, caller, question);
    isTold = !isSeen;
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
 * Whether the first task that was recorded in a workflow is the caller's own; each is looked up once. What comes later does not count: by
 * a `wid` that it heard of a caller could let itself in.
 */
function rememberOwned({ ledger, policy }: AuthorityContext, caller: Caller): (wid: string) => Promise<boolean> {
  const known = new Map<string, boolean>();
  const author = defaultIssuer(caller, policy.issuer);
  return async (wid) => {
    // Also without a workflow: what is there and what is not take the same look-ups.
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

/** A record as permissions see it. */
export function askedAbout({ scope, author }: LedgerRecord): AskedEntry {
  const kind = KINDS[scope];
  return kind === undefined ? { kind: 'task', iss: author, wid: scope } : { kind, iss: author, wid: '' };
}

// The CAs for the certificates of callers.

import { ClientCas, type Vouchers } from '../callers/client-cas.ts';
import { TrustBundles } from '../callers/trust-bundles.ts';
import type { TlsTexts } from '../config-files/tls-files.ts';

export interface FollowingCas {
  readonly cas: Vouchers;
  readonly follow: (next: TlsTexts | undefined) => void;
}

/** Returns the CAs of the callers, from the TLS files or the agent, which follow each change; undefined if there are none. */
export function openCas({ clientCa, bundles }: TlsTexts): FollowingCas | undefined {
  if (bundles !== undefined) {
    const cas = new TrustBundles(bundles);
    const follow = (next: TlsTexts | undefined) => {
      if (next === undefined) cas.replace(new Map());
      else if (next.bundles !== undefined) cas.replace(next.bundles);
    };
    return { cas, follow };
  }
  if (clientCa === undefined) return undefined;
  const cas = new ClientCas(clientCa);
  const follow = (next: TlsTexts | undefined) => {
    if (next?.clientCa !== undefined) cas.replace(next.clientCa);
  };
  return { cas, follow };
}

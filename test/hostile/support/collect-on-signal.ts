// Loaded into the service under attack: collects the garbage of the process when it gets SIGWINCH, so that what an attack has left behind
// can be distinguished from what the collector has not reached.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  // Buffers are freed with the second collection after their last use.
  process.on('SIGWINCH', () => {
    collect();
    collect();
  });
}

// The process of one attacker: prepares, says that it is ready, attacks from `go` to `stop`, and answers what it has counted.

import type { Attack } from '../attacker/attack.ts';
import { counted } from '../attacker/tally.ts';
import type { AttackOrder } from './target.ts';

const order = JSON.parse(process.argv[2] ?? '') as AttackOrder;
const { attack } = (await import(`../attacks/${order.attack}.ts`)) as { attack: Attack };
const run = await attack(order);

const over = new AbortController();
process.on('disconnect', () => process.exit(0));
process.on('message', (word) => {
  if (word === 'go') {
    run(over.signal).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  }
  if (word === 'stop') {
    over.abort();
    process.send?.({ word: 'done', sent: counted() });
  }
});
process.send?.({ word: 'ready' });

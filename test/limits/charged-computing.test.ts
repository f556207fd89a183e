// Computing that the weight of a call does not show is charged to its account: a decision of a large policy, for example.

import { expect, test } from 'vitest';
import { CallScheduler } from '../../src/limits/call-scheduler.ts';
import { Account } from '../../src/limits/index.ts';

const CALL = { weight: 1, bytes: 0 };
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** How many calls of an account with costly calls begin while another account makes twenty cheap ones. */
async function costlyBeside(isCharged: boolean): Promise<number> {
  let time = 0;
  const scheduler = new CallScheduler(() => time);
  const [costly, cheap] = [new Account(0), new Account(0)];
  const begun = { costly: 0, cheap: 0 };
  for (let nth = 0; nth < 100; nth++) {
    scheduler.enter(costly, CALL, () => {
      begun.costly++;
      time += 2;
      if (isCharged) scheduler.charge(costly, 2);
      return true;
    });
  }
  // Their cost is known, and the credit of an account that was quiet is used up.
  while (begun.costly < 40) await nextTurn();
  for (let nth = 0; nth < 60; nth++) {
    scheduler.enter(cheap, CALL, () => {
      begun.cheap++;
      time += 0.1;
      return true;
    });
  }
  while (begun.cheap < 40) await nextTurn();
  const before = begun.costly;
  while (begun.cheap < 60) await nextTurn();
  return begun.costly - before;
}

test('an account whose calls compute more gets fewer of them', async () => {
  const charged = await costlyBeside(true);
  expect(charged).toBeLessThan(10);
  expect(await costlyBeside(false)).toBeGreaterThan(charged);
});

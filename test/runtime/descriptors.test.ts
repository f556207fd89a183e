import { expect, test } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { StartError } from '../../src/data-directory/data-dir.ts';
import { DescriptorWatch, descriptorLimit, descriptorRoom, freeDescriptors } from '../../src/runtime/descriptors.ts';

const roomOf = (limit: number | undefined, env: Record<string, string> = {}) => descriptorRoom(readConfig(env), limit);
const KMS = { ECT_SIGNER: 'kms', ECT_KMS_KEY: 'alias/ect', ECT_KMS_REGION: 'eu-central-1,eu-west-1' };

test('H9 where the limit is unknown or large enough, connections are as the settings say', () => {
  const asSet = { connections: 2048, connectionsPerAddress: 1024, warning: undefined };
  expect(roomOf(undefined)).toEqual(asSet);
  expect(roomOf(2048 + 64)).toEqual(asSet);
  expect(roomOf(1_048_576, KMS)).toEqual(asSet);
});

test('H9 a smaller limit allows fewer connections, half of them of one address, and is reported in one line with the next step', () => {
  expect(roomOf(128)).toEqual({
    connections: 64,
    connectionsPerAddress: 32,
    warning:
      'ulimit -n is 128, and the service needs 64 for itself, so it takes 64 connections instead of 2048: ' +
      'raise ulimit -n to 2112 or more, or set ECT_MAX_CONNECTIONS=64.',
  });
  expect(roomOf(128, { ECT_MAX_CONNECTIONS: '64' }).warning).toBeUndefined();
  expect(roomOf(128, { ECT_MAX_CONNECTIONS_PER_ADDRESS: '50' }).connectionsPerAddress).toBe(50);
  expect(roomOf(128, { ECT_MAX_CONNECTIONS_PER_ADDRESS: '500' }).connectionsPerAddress).toBe(64);
  // Two regions of a hundred calls at once, and four for credentials.
  expect(roomOf(1024, KMS)).toMatchObject({ connections: 1024 - 64 - 204 });
});

test('H9 a limit that leaves no connections is refused with what to raise it to', () => {
  expect(roomOf(80).connections).toBe(16);
  expect(() => roomOf(79)).toThrow(StartError);
  expect(() => roomOf(79)).toThrow(
    'ulimit -n is 79, and the service needs 64 for itself and 16 for connections: raise it to 2112 or more ' +
      '(ulimit -n, LimitNOFILE= in systemd, --ulimit nofile= in Docker).',
  );
  expect(() => roomOf(200, KMS)).toThrow('268 for itself and for AWS KMS (ECT_KMS_CONCURRENCY)');
});

test('what this process has left is what the system says', async () => {
  const free = await freeDescriptors();
  expect(free?.limit).toBe(descriptorLimit());
  expect(free?.free).toBeLessThan(free?.limit ?? 0);
  expect(free?.free).toBeGreaterThan(0);
});

test('H9 something else that uses up descriptors leaves fewer to connections, and gives them back', async () => {
  let free = 1000;
  let open = 50;
  const limits: number[] = [];
  const changes: boolean[] = [];
  const watch = new DescriptorWatch({
    connections: { most: 100, open: () => open, limit: (most) => limits.push(most) },
    onMeasured: ({ isLow }, changed) => changed && changes.push(isLow),
    measure: async () => ({ free, limit: 2000 }),
    intervalMs: 1_000_000,
  });
  await watch.look();
  const lookTwice = async () => {
    await watch.look();
    await watch.look();
    return limits.at(-1);
  };
  expect(await lookTwice()).toBe(100);
  free = 30;
  // One look may have met connections on their way.
  await watch.look();
  expect(limits.at(-1)).toBe(100);
  expect(await lookTwice()).toBe(50 + 30 - 12);
  free = 3;
  expect(await lookTwice()).toBe(50 + 3 - 12);
  open = 20;
  expect(await lookTwice()).toBe(16);
  expect(changes).toEqual([true]);
  free = 8;
  await watch.look();
  expect(changes).toEqual([true]);
  free = 1000;
  // More again at once.
  await watch.look();
  expect(limits.at(-1)).toBe(100);
  expect(changes).toEqual([true, false]);
  watch.stop();
});

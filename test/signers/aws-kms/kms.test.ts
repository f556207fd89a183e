import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Which parts of the SDK a process has loaded once `statement` has run. */
function loadedAfter(statement: string): number {
  const script = `
    import { createRequire } from 'node:module';
    ${statement}
    const { cache } = createRequire(import.meta.url);
    process.stdout.write(String(Object.keys(cache).filter((path) => path.includes('@aws-sdk')).length));`;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  expect(child).toMatchObject({ status: 0, stderr: '' });
  return Number(child.stdout);
}

test('a service whose key is local never loads the SDK of AWS', () => {
  const service = new URL('../../../src/service/index.ts', import.meta.url).href;
  expect(loadedAfter(`await import(${JSON.stringify(service)});`)).toBe(0);
  expect(loadedAfter("await import('@aws-sdk/client-kms');")).toBeGreaterThan(0);
});

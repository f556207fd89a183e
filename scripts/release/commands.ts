// Other programs in one folder. What fails ends the release with what the program itself said.

import { execFileSync, spawnSync } from 'node:child_process';

// An npm that runs this passes its own folder and settings on, which another one in another folder would take for its own.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));

export class Commands {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  run(program: string, ...args: readonly string[]): void {
    execFileSync(program, args, { cwd: this.folder, env, stdio: 'inherit' });
  }

  /** What the program writes, without the last end of a line. */
  read(program: string, ...args: readonly string[]): string {
    const options = { cwd: this.folder, env, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
    return execFileSync(program, args, options).trimEnd();
  }

  succeeds(program: string, ...args: readonly string[]): boolean {
    return spawnSync(program, args, { cwd: this.folder, env, stdio: 'ignore' }).status === 0;
  }
}

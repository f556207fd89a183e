// Child processes that talk to the test by messages. Each is ended by its own handle, and with the test.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

export interface Child<Message> extends AsyncDisposable {
  send(word: string): void;
  /** Answers the first message for which `isIt` holds, from now on. Rejects when the process ends before it. */
  next<Wanted extends Message>(isIt: (message: Message) => message is Wanted): Promise<Wanted>;
}

const running = new Set<ChildProcess>();
afterAll(() => Promise.all([...running].map(end)));

export interface ChildOptions<Message> {
  readonly onMessage?: (message: Message) => void;
  /** It computes on what others leave, as if it had a machine of its own. Default: no. */
  readonly isPolite?: boolean;
}

const LOW_PRIORITY = 10;

/** Starts a program of this folder. `order` is its only argument, as JSON. */
export function startChild<Message>(
  file: string,
  order: object,
  { onMessage = () => undefined, isPolite = false }: ChildOptions<Message> = {},
): Child<Message> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, [JSON.stringify(order)], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  running.add(child);
  if (isPolite && child.pid !== undefined) setPriority(child.pid, LOW_PRIORITY);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-8_000);
  });
  const ended = once(child, 'exit').then(() => running.delete(child));
  const listeners = new Set<(message: Message) => void>();
  child.on('message', (message: Message) => {
    onMessage(message);
    for (const listen of listeners) listen(message);
  });
  return {
    send: (word) => void (child.connected && child.send(word)),
    next: <Wanted extends Message>(isIt: (message: Message) => message is Wanted) =>
      new Promise<Wanted>((resolve, reject) => {
        const listen = (message: Message) => {
          if (!isIt(message)) return;
          listeners.delete(listen);
          resolve(message);
        };
        listeners.add(listen);
        void ended.then(() => reject(new Error(`${file} has ended:\n${stderr}`)));
      }),
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

#!/usr/bin/env node
// The program `ect`. Before anything else is loaded, what runs long gets the heap that it is to run with.

import { descriptorsFault } from './runtime/descriptors-fault.ts';
import { Signals } from './runtime/signals.ts';
import { runWithV8Options } from './runtime/v8-options.ts';

// An older Node has no `node:sqlite`, and its error message does not state the required version.
if (Number.parseInt(process.versions.node, 10) < 24) {
  process.stderr.write(`ect needs Node 24 or later; this is Node ${process.versions.node}.\n`);
  process.exit(1);
}
const command = process.argv[2];
if (command === 'serve' || command === 'audit' || command === 'ledger') runWithV8Options(process);
// Only in the process that stays: signals that arrive at a process that is then replaced would be lost. Loading the rest takes time.
const signals = command === 'serve' ? new Signals() : undefined;
try {
  const { runProcess } = await import('./process.ts');
  await runProcess(signals);
} catch (error) {
  const fault = descriptorsFault(error);
  if (fault === undefined) throw error;
  process.stderr.write(`${fault}\n`);
  process.exitCode = 1;
}
// At once, and not when nothing is left to do: Node would take its hands off signals first, and one that comes then ends the
// process by itself.
if (signals !== undefined) process.exit();

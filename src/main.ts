#!/usr/bin/env node
// The program `ect`. Before anything else is loaded, what runs long gets the heap that it is to run with.

import { runWithV8Options } from './v8-options.ts';

if (process.argv[2] === 'serve' || process.argv[2] === 'audit') runWithV8Options(process);
await import('./process.ts');

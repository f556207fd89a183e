// Runs before each test file (`setupFiles` of vitest.config.ts). Its hook runs after those of the file.

import { afterAll } from 'vitest';
import { endFile } from './after-each-file.ts';

afterAll(endFile);

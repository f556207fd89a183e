// The release that runs: what `ect --version`, the metrics, the discovery document and the start line say.

import { readFileSync } from 'node:fs';

const MANIFEST = new URL('../package.json', import.meta.url);

/** The version in package.json, which is there wherever the sources are. */
export const VERSION = (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { readonly version: string }).version;

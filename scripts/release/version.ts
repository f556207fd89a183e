// Where the version of a release is written, and its section of the changelog.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What stands before the version, by file. */
const PLACES: Readonly<Record<string, RegExp>> = {
  'package.json': /(?<="name": "ect-authority",\s+"version": ")[^"]+/g,
  'package-lock.json': /(?<="name": "ect-authority",\s+"version": ")[^"]+/g,
  Dockerfile: /(?<=^ARG VERSION=).+/gm,
  'deploy/kubernetes/ect-authority.yaml': /(?<=image: ect-authority:).+/g,
  'examples/kubernetes/database-init.yaml': /(?<=image: ect-authority:).+/g,
  'examples/kubernetes/deployment.yaml': /(?<=image: ect-authority:).+/g,
  'examples/kubernetes/kustomization.yaml': /(?<=newTag: ).+/g,
  // The answer of GetAuthority on the page of the API.
  'scripts/api-answers.json': /(?<="version": ")[^"]+/g,
};

/** Writes the version into the files below `folder`. What was unreleased is now what it contains. Dates are `2026-11-30`. */
export function setVersion(folder: string, version: string, date: string): void {
  for (const [file, place] of Object.entries(PLACES)) {
    edit(join(folder, file), (text) => {
      if (text.search(place) < 0) throw new Error(`${file} says no version where it is expected: ${place}`);
      return text.replace(place, version);
    });
  }
  edit(join(folder, 'CHANGELOG.md'), (text) => datedChangelog(text, version, date));
}

/** Its section may have been written before the release, under its number. */
export function datedChangelog(text: string, version: string, date: string): string {
  const isWritten = text.includes(`\n## ${version} (`);
  if (isWritten === /^## Unreleased$/m.test(text)) {
    const fault = isWritten ? `beside the section of ${version} there are unreleased changes` : 'nothing is unreleased';
    throw new Error(`CHANGELOG.md: ${fault}`);
  }
  return text.replace(/^## Unreleased$/m, `## ${version} (${date})`);
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

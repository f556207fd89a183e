// Makes a release: `npm run release -- 0.3.0`, and with `--dry-run` all of it but the commit and the tag in this repository.
//
// It works in a clone of what is committed here, so that a release that fails leaves nothing half done: the version and the
// changelog are set there, the files are made from there, and only at the end does this repository take over the commit and its tag.
// The files are in release/ (`--out DIR`): the package, its SBOM, the descriptor image of the API, and their checksums.

import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Commands } from './release/commands.ts';
import { setVersion } from './release/version.ts';

const USAGE = 'npm run release -- VERSION [--dry-run] [--out DIR]';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false }, out: { type: 'string', default: 'release' } },
});
const [version = ''] = positionals;
const root = join(import.meta.dirname, '..');
const out = resolve(values.out);
const tag = `v${version}`;
const today = new Date().toISOString().slice(0, 10);

const here = new Commands(root);
const fault = whyNot();
if (fault === undefined) {
  release();
} else {
  console.error(fault);
  process.exitCode = 1;
}

/** What stands in the way, if anything. */
function whyNot(): string | undefined {
  if (positionals.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) return `Say which version: ${USAGE}`;
  const changed = here.read('git', 'status', '--porcelain');
  if (changed !== '') return `The working tree has changes that are not committed:\n${changed}`;
  if (here.read('git', 'tag', '--list', tag) !== '') return `The tag ${tag} exists: a release is made once.`;
  return undefined;
}

function release(): void {
  const scratch = mkdtempSync(join(tmpdir(), 'ect-release-'));
  try {
    const clone = join(scratch, 'clone');
    here.run('git', 'clone', '--quiet', root, clone);
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
    const there = new Commands(clone);
    commitVersion(there);
    makeFiles(there);
    makeImage(there);
    if (values['dry-run']) {
      console.log(`A dry run: the commit and the tag ${tag} are left out. The files are in ${out}.`);
      return;
    }
    here.run('git', 'fetch', '--quiet', clone, 'HEAD', `refs/tags/${tag}:refs/tags/${tag}`);
    here.run('git', 'merge', '--quiet', '--ff-only', tag);
    console.log(`Released ${tag}. The files are in ${out}; push the branch and the tag.`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Commits the version, its changelog section, and the descriptor image that the API is held to from now on, and tags it. */
function commitVersion(there: Commands): void {
  setVersion(there.folder, version, today);
  there.run('npm', 'run', '--silent', 'check:breaking');
  there.run('npm', 'run', '--silent', 'generate:released');
  there.run('node', 'scripts/write-api.ts');
  there.run('git', 'add', '--update');
  if (there.read('git', 'status', '--porcelain', '--untracked-files=no') !== '') {
    there.run('git', 'commit', '--quiet', '--message', `chore(release): ${version}`);
  }
  there.run('git', 'tag', '--annotate', '--message', `ECT authority ${version}`, tag);
}

function makeFiles(there: Commands): void {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  there.run('npm', 'pack', '--silent', '--pack-destination', out);
  writeFileSync(join(out, `ect-authority-${version}.cdx.json`), `${softwareBill(there)}\n`);
  copyFileSync(join(there.folder, 'proto/last-release.binpb'), join(out, `ect-authority-${version}.binpb`));
  const sums = readdirSync(out)
    .toSorted()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(out, name)))
          .digest('hex')}  ${name}\n`,
    );
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
}

/** An SBOM in CycloneDX. `npm sbom --omit dev` would leave out what is needed for development as well. */
function softwareBill(there: Commands): string {
  const folder = join(there.folder, '../production');
  mkdirSync(folder);
  for (const file of ['package-lock.json', '.npmrc']) copyFileSync(join(there.folder, file), join(folder, file));
  const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(join(there.folder, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const production = new Commands(folder);
  production.run('npm', 'install', '--silent', '--package-lock-only', '--prefer-offline');
  const options = ['--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
  return production.read('npm', 'sbom', ...options);
}

function makeImage(there: Commands): void {
  if (there.succeeds('docker', 'info')) {
    there.run('docker', 'build', '--quiet', '--tag', `ect-authority:${version}`, '.');
  } else {
    console.log('No image was built: docker does not answer here.');
  }
}

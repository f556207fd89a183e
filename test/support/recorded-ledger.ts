// Reads the ledger in a database and recomputes it without the service's code: rows by SQL, the tree of RFC 6962, the signed notes of
// C2SP.

import { createHash, createPublicKey, verify } from 'node:crypto';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** What was acknowledged to callers. */
export interface Acknowledged {
  /** The index of each entry, by its name. */
  readonly indexes: ReadonlyMap<string, number>;
  /** Every checkpoint that was published. */
  readonly checkpoints: ReadonlySet<string>;
}

/** The faults of a ledger. All lists are empty if there are none. */
export interface LedgerFaults {
  readonly size: number;
  /** Indexes that do not follow the previous one. */
  readonly gaps: readonly number[];
  /** Names that two entries have. */
  readonly doubles: readonly string[];
  /** Acknowledged entries that are missing or have another index. */
  readonly lost: readonly string[];
  /** Checkpoints that do not match the entries, or are not signed by the ledger. */
  readonly forks: readonly string[];
}

/** Reads the ledger `main`. `verifierKey` is the key of the ledger in the signed-note form. */
export async function examineLedger(
  sql: (text: string) => Promise<Rows>,
  verifierKey: string,
  { indexes, checkpoints }: Acknowledged,
): Promise<LedgerFaults> {
  const rows = await sql(
    `SELECT idx, encode(name, 'hex') AS name, leaf FROM ect.entries WHERE ledger = 'main' ORDER BY idx`,
  );
  const [head] = await sql(`SELECT size, checkpoint FROM ect.head WHERE ledger = 'main'`);
  const names = rows.map(({ name }) => Buffer.from(String(name), 'hex').toString('utf8'));
  const places = new Map(names.map((name, place) => [name, place]));
  const roots = rootsOf(rows.map(({ leaf }) => leaf as Uint8Array));
  const notes = [...checkpoints, String(head?.['checkpoint'])];
  const isHeadWhole = Number(head?.['size']) === rows.length;
  return {
    size: rows.length,
    gaps: rows.flatMap(({ idx }, place) => (Number(idx) === place ? [] : [place])),
    doubles: names.filter((name, place) => places.get(name) !== place),
    lost: [...indexes].filter(([name, index]) => places.get(name) !== index).map(([name]) => name),
    forks: [...notes.filter((note) => !fits(note, verifierKey, roots)), ...(isHeadWhole ? [] : ['the head'])],
  };
}

/** Returns the root of the tree over the first leaves, for each number of them. */
function rootsOf(leaves: readonly Uint8Array[]): readonly string[] {
  const roots = [sha256()];
  /** The complete subtrees from the left, the largest first: the number of leaves of each, and its hash. */
  const subtrees: { readonly leaves: number; readonly hash: Buffer }[] = [];
  for (const leaf of leaves) {
    let last = { leaves: 1, hash: sha256(Buffer.of(0), leaf) };
    for (let left = subtrees.at(-1); left?.leaves === last.leaves; left = subtrees.at(-1)) {
      subtrees.pop();
      last = { leaves: 2 * last.leaves, hash: sha256(Buffer.of(1), left.hash, last.hash) };
    }
    subtrees.push(last);
    roots.push(subtrees.map(({ hash }) => hash).reduceRight((right, left) => sha256(Buffer.of(1), left, right)));
  }
  return roots.map((root) => root.toString('base64'));
}

/** Whether a note has the root of its size, and is signed by the ledger. */
function fits(note: string, verifierKey: string, roots: readonly string[]): boolean {
  const [origin = '', size = '', root = '', empty, signature = ''] = note.split('\n');
  const [, name = '', id = '', key = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(verifierKey) ?? [];
  const [dash, signer, encoded = ''] = signature.split(' ');
  const bytes = Buffer.from(encoded, 'base64');
  if (empty !== '' || dash !== '—' || signer !== name || origin !== name || bytes.toString('hex', 0, 4) !== id)
    return false;
  // The first byte is the algorithm: Ed25519.
  const x = Buffer.from(key, 'base64').subarray(1).toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const isSigned = verify(null, Buffer.from(`${origin}\n${size}\n${root}\n`), publicKey, bytes.subarray(4));
  return isSigned && roots[Number(size)] === root;
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

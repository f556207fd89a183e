// The files of the vectors, as texts.

import './valid.ts';
import './valid-extension.ts';
import './valid-signature.ts';
import './form.ts';
import './json.ts';
import './header.ts';
import './algorithm.ts';
import './issuer.ts';
import './signature.ts';
import './claims.ts';
import './order.ts';
import './lifetime.ts';
import './policy.ts';
import './draft-00.ts';
import './unsigned.ts';
import './free-ids.ts';
import './more-algorithms.ts';
import './verifier.ts';
import './graphs.ts';
import './graph-policies.ts';
import { allVectors } from './collect.ts';
import { trustIn } from './keys.ts';
import { PROFILES } from './profiles.ts';

/** Every file by its name below the folder of the vectors. */
export function writeFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, unknown>([
    ['trust.json', trustIn()],
    ['profiles.json', PROFILES],
  ]);
  for (const [name, vector] of allVectors()) files.set(`${name}.json`, vector);
  return new Map(Array.from(files, ([name, value]) => [name, `${JSON.stringify(value, null, 2)}\n`]));
}

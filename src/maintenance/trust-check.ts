// `ect trust check`: shows whether a service with this configuration accepts a token or a caller's JWT, and why. It reads the trust file,
// fetches the keys of its issuers once, and calls no service.

import { BEARER_TOKEN } from '../callers/jwt.ts';
import { jwtVerifier } from '../callers/jwt-verifier.ts';
import { IDENTITY_TOKEN } from '../callers/wimse.ts';
import { WrongUsage } from '../cli/exit.ts';
import type { CheckTrust, TrustFindings } from '../cli/trust.ts';
import { type Config, ConfigError, readConfig } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { EctError } from '../errors.ts';
import { loadGroup } from '../reload/index.ts';
import { configuredTrust } from '../startup/foreign-trust.ts';
import { tokenPolicy } from '../startup/token-policy.ts';
import { TrustedKeys } from '../startup/trusted-keys.ts';
import { type JsonObject, readCompact, TOKEN_STEPS, verifyToken } from '../token/index.ts';
import { ForeignIssuers, type Issuer } from '../trust/index.ts';

/** `env` contains the settings of the service. */
export function trustChecker(env: Readonly<Record<string, string | undefined>>): CheckTrust {
  return async (token, { audience, now }) => {
    const { config, issuers } = await readConfigured(env);
    const said = new Map<string, string>();
    const ring = new TrustedKeys();
    const foreign = new ForeignIssuers(issuers, {
      nowMs: () => performance.now(),
      onTokenKeys: (keys) => ring.replaceForeign(keys),
      events: {
        foreignKeysTaken: (iss, { problems }) => void said.set(iss, problems.join('; ')),
        foreignKeysFailed: (iss, why) => void said.set(iss, why),
        foreignKeysExpired: () => undefined,
        foreignIssuerRemoved: () => undefined,
      },
    });
    try {
      foreign.look();
      await foreign.settled();
      const { header, payload } = partsOf(token);
      const { typ } = header;
      const isCaller = typeof typ !== 'string' || !typ.endsWith('exec+jwt');
      const issuer = isCaller ? callerIssuerIn(issuers, foreign, payload) : tokenIssuerIn(issuers, payload);
      const about = {
        kind: isCaller ? 'caller' : 'token',
        header,
        payload,
        issuer: describe(issuer, foreign, said),
      } as const;
      if (isCaller) return { ...about, ...judgeCaller(token, IDENTITY_TOKEN.types.has(typ), foreign, now) };
      const verdict = verifyToken(
        token,
        { now, audience, purpose: 'presented', mode: 'report' },
        tokenPolicy(config),
        ring.keys,
      );
      const failures = verdict.ok ? [] : verdict.failures;
      return {
        ...about,
        name: verdict.ok ? verdict.token.claims.iss : undefined,
        rejections: failures.map(({ step, rejection }) => ({ rule: TOKEN_STEPS[step]?.rule ?? '', ...rejection })),
      };
    } finally {
      foreign.stop();
    }
  };
}

async function readConfigured(
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly config: Config; readonly issuers: readonly Issuer[] }> {
  try {
    const config = readConfig(env);
    const group = configuredTrust(config);
    if (group !== undefined) return { config, issuers: (await loadGroup(group)).value };
  } catch (error) {
    if (error instanceof ConfigError || error instanceof StartError)
      throw new WrongUsage(error.message, { cause: error });
    throw error;
  }
  throw new WrongUsage('ECT_TRUST_FILE is not set: only the service itself is a trusted issuer');
}

function partsOf(token: string): { readonly header: JsonObject; readonly payload: JsonObject } {
  const read = readCompact(token);
  return read.ok ? read.parts : { header: {}, payload: {} };
}

function tokenIssuerIn(issuers: readonly Issuer[], { iss }: JsonObject): Issuer | undefined {
  return issuers.find(({ tokens }) => typeof iss === 'string' && tokens?.speaksFor(iss) === true);
}

function callerIssuerIn(
  issuers: readonly Issuer[],
  foreign: ForeignIssuers,
  { iss, sub }: JsonObject,
): Issuer | undefined {
  const found = foreign.callerIssuer(iss, sub);
  return issuers.find((issuer) => issuer.iss === found?.iss);
}

/** Checks an identity token without the proof of possession, which every call needs. */
function judgeCaller(
  token: string,
  isIdentity: boolean,
  foreign: ForeignIssuers,
  now: number,
): Pick<TrustFindings, 'name' | 'rejections'> {
  const ports = { issuerOf: (iss: unknown, sub: unknown) => foreign.callerIssuer(iss, sub), now: () => now };
  try {
    const { caller } = isIdentity ? jwtVerifier(ports, IDENTITY_TOKEN)(token) : jwtVerifier(ports, BEARER_TOKEN)(token);
    return { name: caller.id, rejections: [] };
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    return { name: undefined, rejections: [{ rule: 'The JWT proves a caller.', ...error.rejection }] };
  }
}

function describe(
  issuer: Issuer | undefined,
  foreign: ForeignIssuers,
  said: ReadonlyMap<string, string>,
): TrustFindings['issuer'] {
  if (issuer === undefined) return undefined;
  const { iss, source } = issuer;
  const keys = [...foreign.keysOf(iss).values()];
  return {
    iss,
    source: source.kind === 'inline' ? 'jwks in the trust file' : `${source.kind} ${source.place}`,
    keys: keys.map(({ kid, algorithms }) => `${kid} (${algorithms.join(' or ')})`),
    fault: said.get(iss) ?? '',
  };
}

// A4: what a proxy forwards, and what only looks like it.

import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/authority/index.ts';
import { authenticateBy, type Presented } from '../../src/callers/authenticate.ts';
import { exceptProxies, type ForwardedHeader, forwardedCallers } from '../../src/callers/forwarded.ts';
import { EctError, reject } from '../../src/errors.ts';
import { workload } from '../support/callers.ts';

const PROXY = 'spiffe://example.org/envoy';
const OTHER_PROXY = 'spiffe://example.org/gateway';
const A = 'spiffe://example.org/a';
const XFCC = 'x-forwarded-client-cert';
const ELEMENT = `By=${PROXY};Hash=${'0'.repeat(64)};URI=${A}`;

type Headers = readonly (readonly [name: string, value: string])[];

function request(headers: Headers): Presented {
  return {
    socket: new Socket(),
    header: (name) => headers.filter(([given]) => given === name).map(([, value]) => value),
    httpMethod: 'POST',
    path: '/ect.v1.AuthorityService/Issue',
  };
}

/** What comes of a request on the connection of this peer: a caller by its ID, or a reason. */
function outcome(headers: Headers, peer: Caller | EctError = workload(PROXY), header: ForwardedHeader = XFCC): string {
  const identify = () => {
    if (peer instanceof EctError) throw peer;
    return peer;
  };
  const proxies = [PROXY, OTHER_PROXY];
  const authenticate = authenticateBy(
    [forwardedCallers({ proxies, header, identify })],
    exceptProxies(identify, proxies),
  );
  try {
    const caller = authenticate(request(headers));
    return caller.kind === 'anonymous' ? caller.kind : caller.id;
  } catch (error) {
    return (error as EctError).reason;
  }
}

describe('A4: a trusted proxy', () => {
  test.each([
    ['an element as Envoy writes it', ELEMENT],
    ['the URI alone', `URI=${A}`],
    ['keys in other letters', `by=${PROXY};uri=${A}`],
    ['several names of the proxy and of the certificate', `By=${PROXY};By=urn:x;DNS=a.example;DNS=b.example;URI=${A}`],
    ['an empty subject, as Istio writes it', `By=${PROXY};Hash=00;Subject="";URI=${A}`],
    ['a subject with one name', `Subject="CN=a";URI=${A}`],
  ])('names the caller: %s', (_title, value) => {
    expect(outcome([[XFCC, value]])).toBe(A);
  });

  test('is named with the caller as the authenticating party', () => {
    const authenticate = forwardedCallers({ proxies: [PROXY], header: XFCC, identify: () => workload(PROXY) });
    expect(authenticate(request([[XFCC, ELEMENT]]))).toEqual({
      kind: 'spiffe',
      id: A,
      proof: { method: 'forwarded', strength: 'vouched', by: PROXY },
    });
  });

  test.each<[string, Headers]>([
    [
      'two headers',
      [
        [XFCC, ELEMENT],
        [XFCC, ELEMENT],
      ],
    ],
    ['two elements', [[XFCC, `${ELEMENT},${ELEMENT}`]]],
    ['two elements with a blank', [[XFCC, `${ELEMENT}, URI=${A}`]]],
    ['an element that is empty', [[XFCC, `${ELEMENT},`]]],
    ['two URIs', [[XFCC, `${ELEMENT};URI=spiffe://example.org/b`]]],
    ['the same URI twice', [[XFCC, `${ELEMENT};uri=${A}`]]],
    ['no URI', [[XFCC, `By=${PROXY};Hash=00`]]],
    ['an empty URI', [[XFCC, 'Hash=00;URI=']]],
    ['a quoted URI', [[XFCC, `URI="${A}"`]]],
    ['a quoted comma', [[XFCC, `Subject="CN=a,O=b";URI=${A}`]]],
    ['a quoted semicolon, with a URI behind it', [[XFCC, `Subject="CN=a;URI=${A}";Hash=00`]]],
    ['an escaped quote', [[XFCC, `Subject="CN=\\";URI=${A}`]]],
    ['a quote that does not end', [[XFCC, `Subject="CN=a;URI=${A}`]]],
    ['a key that nobody knows', [[XFCC, `${ELEMENT};Spiffe=${A}`]]],
    ['a key twice', [[XFCC, `Hash=00;Hash=01;URI=${A}`]]],
    ['a blank before the key', [[XFCC, `Hash=00; URI=${A}`]]],
    ['a blank after the URI', [[XFCC, `URI=${A} `]]],
    ['no key', [[XFCC, A]]],
    ['nothing', [[XFCC, '']]],
    ['a URI that is no SPIFFE ID', [[XFCC, 'URI=https://example.org/a']]],
    ['a trust domain without a workload', [[XFCC, 'URI=spiffe://example.org']]],
    ['an escaped path', [[XFCC, 'URI=spiffe://example.org/%61']]],
    ['a workload of another trust domain', [[XFCC, 'URI=spiffe://other.example/a']]],
    ['the proxy itself', [[XFCC, `URI=${PROXY}`]]],
    ['another proxy', [[XFCC, `URI=${OTHER_PROXY}`]]],
    [
      'underscores beside the header',
      [
        [XFCC, ELEMENT],
        ['x_forwarded_client_cert', ELEMENT],
      ],
    ],
    ['underscores in the place of the header', [['x_forwarded_client_cert', ELEMENT]]],
    ['one underscore', [['x-forwarded_client-cert', ELEMENT]]],
    [
      'the header of another proxy beside it',
      [
        [XFCC, ELEMENT],
        ['l5d-client-id', A],
      ],
    ],
    ['the header of another proxy in its place', [['l5d-client-id', A]]],
    [
      'that in underscores',
      [
        [XFCC, ELEMENT],
        ['l5d_client_id', A],
      ],
    ],
  ])('whose request has %s is not understood: CALLER_ID_INVALID', (_title, headers) => {
    expect(outcome(headers)).toBe('CALLER_ID_INVALID');
  });

  test('is no caller itself: a request without the header has no caller', () => {
    expect(outcome([])).toBe('CALLER_UNTRUSTED');
    expect(
      outcome([
        ['x-forwarded-user', A],
        ['x-spiffe-id', A],
        ['authorization', `Bearer ${A}`],
      ]),
    ).toBe('CALLER_UNTRUSTED');
  });
});

describe('A4: anybody else', () => {
  test.each<[string, Caller]>([
    ['a workload', workload('spiffe://example.org/b')],
    ['a workload whose name begins as that of the proxy', workload(`${PROXY}/b`)],
    ['a proxy of the same path in another trust domain', workload('spiffe://other.example/envoy')],
    ['nobody', { kind: 'anonymous' }],
    ['a subject of another kind that has the name of the proxy', { ...workload(PROXY), kind: 'oidc' }],
  ])('is rejected with the header: %s', (_title, peer) => {
    for (const name of [XFCC, 'x_forwarded_client_cert', 'l5d-client-id']) {
      expect(outcome([[name, ELEMENT]], peer), name).toBe('CALLER_ID_INVALID');
    }
  });

  test('that proves nothing is rejected for that', () => {
    const nobody = new EctError(reject('CALLER_UNTRUSTED', 'no client certificate was presented'));
    expect(outcome([[XFCC, ELEMENT]], nobody)).toBe('CALLER_UNTRUSTED');
    expect(outcome([], nobody)).toBe('CALLER_UNTRUSTED');
  });

  test('calls in its own name without the header, whatever else it sends', () => {
    const own = workload('spiffe://example.org/b');
    expect(outcome([], own)).toBe(own.id);
    expect(
      outcome(
        [
          ['x-spiffe-id', A],
          ['x-forwarded-user', A],
          ['authorization', 'Bearer a'],
        ],
        own,
      ),
    ).toBe(own.id);
  });
});

describe('A4: Linkerd’s header', () => {
  const linkerd = (headers: Headers) => outcome(headers, workload(PROXY), 'l5d-client-id');

  test('is a SPIFFE ID and nothing else', () => {
    expect(linkerd([['l5d-client-id', A]])).toBe(A);
    for (const value of ['', `${A},${A}`, `URI=${A}`, ` ${A}`, 'a.ns.serviceaccount.identity.linkerd.example.org']) {
      expect(linkerd([['l5d-client-id', value]]), value).toBe('CALLER_ID_INVALID');
    }
    expect(
      linkerd([
        ['l5d-client-id', A],
        ['l5d-client-id', A],
      ]),
    ).toBe('CALLER_ID_INVALID');
  });

  test('is not mixed with that of Envoy', () => {
    expect(
      linkerd([
        ['l5d-client-id', A],
        [XFCC, ELEMENT],
      ]),
    ).toBe('CALLER_ID_INVALID');
    expect(linkerd([[XFCC, ELEMENT]])).toBe('CALLER_ID_INVALID');
  });
});

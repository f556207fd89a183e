// A2, from the side of a client: whether a server is the workload that was meant.

import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SERVER_ID_CODE, serverFault } from '../../src/callers/server-id.ts';
import { type CertificateAuthority, createCertificateAuthority, type LeafOptions } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';

const ID = 'spiffe://example.org/ect';

describeWith('openssl', 'a server that is known by its SPIFFE ID', () => {
  let ca: CertificateAuthority;
  beforeAll(() => {
    ca = createCertificateAuthority();
  });
  afterAll(() => ca[Symbol.dispose]());

  const faultOf = (options: LeafOptions) => serverFault(new X509Certificate(ca.issue(options).cert).raw, ID);

  test('has it as its one URI name', () => {
    expect(faultOf({ names: [{ uri: ID }] })).toBeUndefined();
    expect(faultOf({ names: [{ dns: 'ect.example.org' }, { uri: ID }] })).toBeUndefined();
  });

  test.each<[string, LeafOptions]>([
    ['another ID', { names: [{ uri: `${ID}2` }] }],
    ['an ID below it', { names: [{ uri: `${ID}/a` }] }],
    ['the same path in another trust domain', { names: [{ uri: 'spiffe://partner.example/ect' }] }],
    ['two URI names', { names: [{ uri: ID }, { uri: 'spiffe://example.org/other' }] }],
    ['no URI name', { names: [{ dns: 'ect.example.org' }] }],
    ['a DNS name that spells it', { names: [{ dns: `URI:${ID}` }] }],
    ['a joined list that would contain it', { names: [{ uri: `spiffe://example.org/x, URI:${ID}` }] }],
    ['the right to sign others', { names: [{ uri: ID }], keyUsage: 'digitalSignature,keyCertSign' }],
  ])('A2: a certificate with %s is that of another', (_title, options) => {
    expect(faultOf(options)).toMatchObject({ code: SERVER_ID_CODE, message: expect.stringContaining(ID) });
  });

  test('A2: bytes that are no certificate prove nothing', () => {
    expect(serverFault(Buffer.from('no certificate'), ID)).toMatchObject({ code: SERVER_ID_CODE });
  });
});

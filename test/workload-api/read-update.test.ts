// A8: what one message of an agent may make the service hold, and who decides about it.

import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { X509SVIDResponseSchema } from '../../src/gen/spiffe/workload_pb.ts';
import { readUpdate } from '../../src/workload-api/read-update.ts';
import { type CertificateAuthority, createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { derOf, sentSvid } from '../support/workload-agent.ts';

const AUTHORITY = 'spiffe://example.org/ect';

describeWith('openssl', 'the federated bundles of a message', () => {
  let ca: CertificateAuthority;
  let bundle: Uint8Array;
  beforeAll(() => {
    ca = createCertificateAuthority('org CA');
    using partner = createCertificateAuthority('partner CA');
    bundle = derOf(partner.cert);
  });
  afterAll(() => ca?.[Symbol.dispose]());

  function read(federatedBundles: Readonly<Record<string, Uint8Array>>) {
    const svids = [sentSvid(AUTHORITY, issueSvid(ca, AUTHORITY), ca)];
    const message = create(X509SVIDResponseSchema, { svids: [...svids], federatedBundles });
    return readUpdate(message, { svid: undefined, address: 'unix:///agent.sock' }, Date.now());
  }

  test('A8 who is federated with displaces no other by the size of its bundle', () => {
    const many = Buffer.concat(Array<Uint8Array>(100).fill(bundle));
    const { texts, problems } = read({
      'spiffe://a.example': many,
      'spiffe://b.example': many,
      'spiffe://c.example': many,
      'spiffe://d.example': Buffer.from('no DER'),
      'spiffe://z.example': bundle,
    });
    expect([...texts.bundles.keys()]).toEqual(['example.org', 'z.example', 'a.example']);
    expect(problems).toEqual([
      expect.stringContaining('the largest 2 are not used'),
      expect.stringContaining('d.example'),
    ]);
  });

  test('A8 a message with more than 1,000 of them is rejected before any is read', () => {
    const crowd = Array.from({ length: 1001 }, (_, at) => [`spiffe://d${at}.example`, bundle] as const);
    expect(read(Object.fromEntries(crowd.slice(1))).texts.bundles.size).toBe(201);
    expect(() => read(Object.fromEntries(crowd))).toThrow('more than 1000 federated bundles');
  });
});

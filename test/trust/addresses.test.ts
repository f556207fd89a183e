import { describe, expect, test } from 'vitest';
import { isAllowedAddress, type Network } from '../../src/trust/addresses.ts';

const NETWORKS: readonly Network[] = ['public', 'private', 'loopback'];

function allowedIn(address: string): readonly Network[] {
  return NETWORKS.filter((network) => isAllowedAddress(address, network));
}

describe('K2: an address that keys may be fetched from', () => {
  test.each(['8.8.8.8', '1.1.1.1', '198.17.255.255', '223.255.255.255', '2606:4700::1111', '2a00::1', '2001:4860::1'])(
    '%s of the Internet is one, unless loopback alone is',
    (address) => {
      expect(allowedIn(address)).toEqual(['public', 'private']);
    },
  );

  test.each(['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd00::1'])(
    '%s of a private network is one where private networks are allowed',
    (address) => {
      expect(allowedIn(address)).toEqual(['private']);
    },
  );

  test.each(['127.0.0.1', '127.255.255.254', '::1'])('%s of this machine is one where loopback is said', (address) => {
    expect(allowedIn(address)).toEqual(['loopback']);
  });

  test.each([
    ['the metadata service of most clouds', '169.254.169.254'],
    ['link-local', '169.254.0.1'],
    ['link-local', 'fe80::1'],
    ['metadata of AWS over IPv6', 'fd00:ec2::254'],
    ['metadata of Google over IPv6', 'fd20:ce::254'],
    ['metadata of Alibaba', '100.100.100.200'],
    ['metadata of Oracle', '192.0.0.192'],
    ['Azure', '168.63.129.16'],
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['benchmarks', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation', '2001:db8::1'],
    ['unspecified', '::'],
    ['IPv4 in IPv6', '::ffff:8.8.8.8'],
    ['IPv4 in IPv6', '::ffff:127.0.0.1'],
    ['IPv4 in IPv6', '::ffff:a9fe:a9fe'],
    ['IPv4 by NAT64', '64:ff9b::a9fe:a9fe'],
    ['IPv4 by 6to4', '2002:7f00:1::1'],
    ['Teredo', '2001::1'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['a zone', 'fe80::1%lo'],
    ['a zone', '::1%lo'],
    ['no address', 'localhost'],
    ['no address', ''],
    ['a short form', '127.1'],
  ])('never: %s, %s', (_, address) => {
    expect(allowedIn(address)).toEqual([]);
  });
});

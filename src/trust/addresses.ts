// The addresses from which keys may be fetched. The operator chooses a name, but the name server chooses its address: it may be in the
// network of this service, or be the metadata service of a cloud, which returns credentials.

import { BlockList, isIP } from 'node:net';

/**
 * The permitted addresses of the servers of an issuer. `public`: addresses of the Internet. `private`: these and private networks, for an
 * issuer in the same cluster. `loopback`: this machine only, for development and tests.
 */
export type Network = 'public' | 'private' | 'loopback';

type Subnet = readonly [address: string, prefix: number];

/** All other IPv4 addresses are global unicast (IANA special-purpose registry). */
const SPECIAL_4 = listOf('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]);
/** The only global unicast addresses of IPv6, */
const GLOBAL_6 = listOf('ipv6', [['2000::', 3]]);
/** except protocol assignments, documentation, and tunnels that contain an IPv4 address. */
const SPECIAL_6 = listOf('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);
const PRIVATE_4 = listOf('ipv4', [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
]);
const PRIVATE_6 = listOf('ipv6', [['fc00::', 7]]);
/** Metadata services of clouds at addresses that look private or public: Alibaba, Azure, AWS and Google over IPv6. */
const METADATA_4 = listOf('ipv4', [
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
]);
const METADATA_6 = listOf('ipv6', [
  ['fd00:ec2::', 32],
  ['fd20:ce::', 32],
]);
const LOOPBACK_4 = listOf('ipv4', [['127.0.0.0', 8]]);
const LOOPBACK_6 = listOf('ipv6', [['::1', 128]]);

/** Whether a connection may be opened to a literal address. An IPv4 address inside an IPv6 address is never permitted. */
export function isAllowedAddress(address: string, network: Network): boolean {
  // A zone names an interface of this machine.
  if (address.includes('%')) return false;
  const version = isIP(address);
  if (version === 4) return isAllowed4(address, network);
  return version === 6 && isAllowed6(address, network);
}

function isAllowed4(address: string, network: Network): boolean {
  const isIn = (list: BlockList) => list.check(address, 'ipv4');
  if (network === 'loopback') return isIn(LOOPBACK_4);
  if (isIn(METADATA_4)) return false;
  return !isIn(SPECIAL_4) || (network === 'private' && isIn(PRIVATE_4));
}

function isAllowed6(address: string, network: Network): boolean {
  const isIn = (list: BlockList) => list.check(address, 'ipv6');
  if (network === 'loopback') return isIn(LOOPBACK_6);
  if (isIn(METADATA_6)) return false;
  return (isIn(GLOBAL_6) && !isIn(SPECIAL_6)) || (network === 'private' && isIn(PRIVATE_6));
}

function listOf(family: 'ipv4' | 'ipv6', subnets: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family);
  return list;
}

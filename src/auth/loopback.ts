/** Which peers count as this machine: users such as `guest` may log in from there only. */

import { BlockList, isIPv4, isIPv6 } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Whether a peer address is a loopback address: 127.0.0.0/8, ::1, or the former mapped into IPv6
 * (`::ffff:127.0.0.1`, in any spelling).
 *
 * @param address the peer's address, never the listener's: deciding from the listener lets remote peers in.
 *   Undefined (the socket is gone) and anything that is not an address are not loopback.
 */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  if (isIPv4(address)) return LOOPBACK.check(address, 'ipv4');
  return isIPv6(address) && LOOPBACK.check(address, 'ipv6');
}

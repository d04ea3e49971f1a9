import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Whether one of this machine's network interfaces has the address. `127.0.0.1` counts as always there. */
export function hasLocalAddress(address: string): boolean {
  if (address === '127.0.0.1') return true;
  return interfaces().some((networkInterface) => networkInterface.address === address);
}

function interfaces(): readonly NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  } catch {
    // Some systems do not tell (Android refuses): then only what every machine has is taken for granted.
    return [];
  }
}

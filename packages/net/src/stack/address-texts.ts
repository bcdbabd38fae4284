import { formatIp } from '@parakernel/queue'
import { isLinkLocal } from '../ipv6/address.ts'
import type { AddressTable, LocalAddress } from './address-table.ts'

/** The addresses that others reach this host by: IPv4 first, then IPv6, and what reaches no further than the link last. */
export function addressTexts({ entries }: AddressTable): readonly string[] {
  const ours = entries.filter((entry) => !entry.interface.loopback && entry.state !== 'duplicate')
  // Stable: in the order of the configuration within each.
  return ours.sort((a, b) => rank(a) - rank(b)).map(({ words }) => formatIp(words))
}

function rank({ family, words }: LocalAddress): number {
  return family === 4 ? 0 : isLinkLocal(words) ? 2 : 1
}

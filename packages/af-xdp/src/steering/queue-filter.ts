import { ParakernelError, parseMac, type ReceiveFilter } from '@parakernel/hal'
import { addMembership, dropMembership, foreign, type Membership } from '@parakernel/linux'
import type { FilterMemory } from '../transport.ts'
import { type FilterShare, FilterTable, packAddress, unpackAddress } from './filter-table.ts'

/**
 * Makes `filter` what this queue asks for: in the table, where the program looks, and by memberships of the interface,
 * without which a real NIC would not hand the frames up. The table says which memberships there are, so whoever comes
 * after a holder that was killed can end them.
 *
 * Used in the thread of the holder, and by the control thread when there is none (any more).
 * @throws EINVAL for text that is no group address; then nothing has changed.
 */
export function applyReceiveFilter(memory: FilterMemory, queue: number, filter: ReceiveFilter): void {
  const wanted = new Set((filter.multicast ?? []).map(packGroup))
  const share = openTable(memory).share(queue)
  const had = share.groups()
  for (const group of had) {
    if (wanted.has(group)) continue
    share.remove(group)
    dropMembership(memory.socket, memory.interfaceIndex, unpackAddress(group))
  }
  let tooMany = false
  for (const group of wanted) if (!had.has(group)) tooMany = !addGroup(memory, share, group) || tooMany
  if (tooMany !== share.allGroups) {
    switchMembership(memory, 'all-multicast', tooMany)
    share.allGroups = tooMany
  }
  const promiscuous = filter.promiscuous ?? false
  if (promiscuous !== share.promiscuous) {
    switchMembership(memory, 'promiscuous', promiscuous)
    share.promiscuous = promiscuous
  }
}

export function openTable(memory: FilterMemory): FilterTable {
  return new FilterTable(foreign().view(memory.address, memory.length), memory.queues)
}

/** The membership first: a holder that is killed in between leaves one that nothing is taken by. */
function addGroup(memory: FilterMemory, share: FilterShare, group: bigint): boolean {
  const bytes = unpackAddress(group)
  addMembership(memory.socket, memory.interfaceIndex, bytes)
  if (share.add(group)) return true
  dropMembership(memory.socket, memory.interfaceIndex, bytes)
  return false
}

function switchMembership(memory: FilterMemory, membership: Membership, on: boolean): void {
  const change = on ? addMembership : dropMembership
  change(memory.socket, memory.interfaceIndex, membership)
}

function packGroup(text: string): bigint {
  const bytes = parseMac(text)
  if ((bytes[0] & 1) === 1) return packAddress(bytes)
  throw new ParakernelError('EINVAL', 'is the address of one station, not of a group', {
    subject: JSON.stringify(text),
    remedy: 'Ask for promiscuous: true to receive for other stations',
  })
}

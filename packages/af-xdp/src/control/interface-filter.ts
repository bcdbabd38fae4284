import {
  addMembership,
  BPF_F_MMAPABLE,
  BPF_MAP_TYPE_ARRAY,
  closeDescriptors,
  createBpfMap,
  dropMembership,
  type LinkState,
  type Mapping,
  mapDescriptor,
  openMembershipSocket,
  replaceByEmpty,
} from '@parakernel/linux'
import { filterTableBytes } from '../steering/filter-table.ts'
import { applyReceiveFilter, openTable } from '../steering/queue-filter.ts'
import type { FilterMemory } from '../transport.ts'

/** By this name another process finds the map. */
export const FILTER_MAP_NAME = 'pk_filter'

/** Creates the map of a device's receive filter. Returns its descriptor, which the caller closes. */
export function createFilterMap(queues: number): number {
  const valueSize = filterTableBytes(queues)
  return createBpfMap({
    type: BPF_MAP_TYPE_ARRAY,
    valueSize,
    entries: 1,
    flags: BPF_F_MMAPABLE,
    name: FILTER_MAP_NAME,
  })
}

/** The control thread's side of the receive filter: the mapping, the socket of memberships, the rules' own groups. */
export class InterfaceFilter {
  /** What grants carry. */
  readonly memory: FilterMemory
  readonly #mapping: Mapping
  #groups: readonly Uint8Array[] = []

  /** Maps the table of `map`; the descriptor is not needed afterwards. */
  constructor(map: number, link: LinkState, queues: number) {
    const socket = openMembershipSocket(link.name)
    try {
      this.#mapping = mapDescriptor(map, 0, filterTableBytes(queues), `${link.name} receive filter`)
      const { address, length } = this.#mapping
      this.memory = { address, length, queues, socket, interfaceIndex: link.index }
    } catch (error) {
      closeDescriptors(socket)
      throw error
    }
  }

  setOwnAddress(mac: Uint8Array): void {
    openTable(this.memory).setOwnAddress(mac)
  }

  /** Makes the interface receive the groups that the rules list, and no longer those of the rules before. */
  setGroups(groups: readonly Uint8Array[]): void {
    const { socket, interfaceIndex } = this.memory
    for (const group of groups) addMembership(socket, interfaceIndex, group)
    for (const group of this.#groups) dropMembership(socket, interfaceIndex, group)
    this.#groups = groups
  }

  /** Takes back what a queue's holder asked for. */
  clear(queue: number): void {
    applyReceiveFilter(this.memory, queue, {})
  }

  leftOut(queue: number): number {
    return openTable(this.memory).leftOut(queue)
  }

  /** `watched`: a holder that has not let go may still look; it finds an empty table then. */
  close(watched: boolean): void {
    closeDescriptors(this.memory.socket)
    if (watched) replaceByEmpty(this.memory.address, this.memory.length)
    else this.#mapping.unmap()
  }
}

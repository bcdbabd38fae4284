import type { MacAddress } from '@parakernel/hal'
import { macText } from '../ethernet/mac.ts'
import type { NetInterface } from './interface.ts'

/** What an interface asks its device to receive: the groups of both families together. */
export class GroupFilter {
  readonly #interface: NetInterface
  readonly #promiscuous: boolean
  readonly #groups = new Map<4 | 6, readonly MacAddress[]>()

  constructor(iface: NetInterface) {
    this.#interface = iface
    // A device filters by its own address: for another one it must be told to pass everything.
    this.#promiscuous = macText(iface.mac) !== iface.links[0].queue.control.mac
  }

  /** Replaces the groups of one family. */
  set(family: 4 | 6, groups: readonly MacAddress[]): void {
    this.#groups.set(family, groups)
    const multicast = [...new Set([...this.#groups.values()].flat())]
    for (const { queue } of this.#interface.links) {
      if (queue.capabilities.receiveFilter) queue.setReceiveFilter({ multicast, promiscuous: this.#promiscuous })
    }
  }
}

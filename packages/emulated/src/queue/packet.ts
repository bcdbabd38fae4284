import type { FramePool, NetBurst } from '@parakernel/hal'
import type { MemoryKernel } from '../memory/memory-kernel.ts'
import { ETHERTYPE_VLAN, Headers, VLAN_TAG } from '../packet/headers.ts'
import type { NetworkMemory } from '../shared/network-memory.ts'

/** Destination and source address, after which a tag goes. */
const ADDRESSES = 12

/** The packet that a transmitter has at hand: in its frame, or gathered from several in the queue's scratch area. */
export class Packet {
  /** The memory that it lies in. */
  view: DataView
  bytes: Uint8Array
  at = 0
  length = 0
  /** Valid after `parse`. */
  readonly headers = new Headers()
  readonly #pool: FramePool
  readonly #memory: NetworkMemory
  readonly #kernel: MemoryKernel
  readonly #scratch: number
  #inPool = true
  #parsed = false

  constructor(pool: FramePool, memory: NetworkMemory, kernel: MemoryKernel, scratch: number) {
    this.view = pool.view
    this.bytes = pool.bytes
    this.#pool = pool
    this.#memory = memory
    this.#kernel = kernel
    this.#scratch = scratch
  }

  /** A packet of one entry stays where it is. */
  point(burst: NetBurst, i: number): void {
    this.#inPool = true
    this.view = this.#pool.view
    this.bytes = this.#pool.bytes
    this.at = this.#pool.address(burst.frame[i]) + burst.offset[i]
    this.length = burst.length[i]
    this.#parsed = false
  }

  gather(burst: NetBurst, i: number, entries: number): void {
    let to = this.#scratch
    for (let entry = i; entry < i + entries; entry++) {
      this.#kernel.put(to, this.#pool.address(burst.frame[entry]) + burst.offset[entry], burst.length[entry])
      to += burst.length[entry]
    }
    this.#inPool = false
    this.view = this.#memory.view
    this.bytes = this.#memory.bytes
    this.at = this.#scratch
    this.length = to - this.#scratch
    this.#parsed = false
  }

  parse(): void {
    if (this.#parsed) return
    this.#parsed = true
    this.headers.parse(this.view, this.at, this.length)
  }

  /** Copies its first `length` bytes to `to` in the network. `shift` is 4 to put `tag` in, -4 to leave one out, else 0. */
  copy(to: number, length: number, shift: number, tag: number): void {
    if (shift === 0) {
      this.#copyPart(to, this.at, length)
      return
    }
    this.#copyPart(to, this.at, ADDRESSES)
    if (shift > 0) {
      this.#memory.view.setUint16(to + ADDRESSES, ETHERTYPE_VLAN)
      this.#memory.view.setUint16(to + ADDRESSES + 2, tag)
      this.#copyPart(to + ADDRESSES + VLAN_TAG, this.at + ADDRESSES, length - ADDRESSES)
    } else {
      this.#copyPart(to + ADDRESSES, this.at + ADDRESSES + VLAN_TAG, length - ADDRESSES - VLAN_TAG)
    }
  }

  /** Copies `length` bytes from `offset` of a gathered packet. */
  copyGathered(to: number, offset: number, length: number): void {
    this.#kernel.move(to, this.at + offset, length)
  }

  #copyPart(to: number, from: number, length: number): void {
    if (this.#inPool) this.#kernel.put(to, from, length)
    else this.#kernel.move(to, from, length)
  }
}

import { addressesAt, addressesLength } from '../packet/headers.ts'
import {
  DROP_FILTER,
  DROP_NO_FRAME,
  INDIRECTION_ENTRIES,
  SWITCH_COUNTERS,
  SWITCH_FLOODED,
  SWITCH_LEARNED,
  SWITCH_UNDELIVERABLE,
} from '../shared/layout.ts'
import type { NetworkView } from '../shared/network-view.ts'
import { RingProducer, ringVersion } from '../shared/packet-ring.ts'
import type { PortView } from '../shared/port-view.ts'
import { matchRules } from '../steering/rules.ts'
import { toeplitz } from '../steering/toeplitz.ts'
import type { Packet } from './packet.ts'

/** Source addresses in use are learned again after this part of the time after which they age. */
const RELEARN_FRACTION = 4

/** The switch, and the receiving NIC's filter, steering and RSS: finds the queues that get a packet. */
export class Forwarder {
  /** The queues that get the packet at hand: port, queue number in the network, RSS hash. */
  readonly ports: PortView[] = []
  readonly queues: Int32Array
  readonly hashes: Int32Array
  count = 0
  /** The rings from this queue to every other, by number of the receiving queue. */
  readonly producers: (RingProducer | undefined)[]
  readonly #network: NetworkView
  readonly #port: number
  readonly #queue: number
  readonly #packet: Packet
  readonly #words: Int32Array
  readonly #direct: boolean
  #nowMs = 0

  #learnedA = 0
  #learnedB = -1
  #relearnAt = 0
  /** The last known station of this burst: a burst goes mostly to one. */
  #lastA = 0
  #lastB = -1
  #last: PortView | undefined

  constructor(network: NetworkView, port: number, queue: number, packet: Packet) {
    const { maxQueues } = network.memory.layout
    this.#network = network
    this.#port = port
    this.#queue = queue
    this.#packet = packet
    this.#words = network.memory.words
    this.#direct = network.memory.reference.direct
    this.queues = new Int32Array(maxQueues)
    this.hashes = new Int32Array(maxQueues)
    this.producers = new Array(maxQueues).fill(undefined)
  }

  /** After a change of the network's tables: which rings are there, and whether the switch still knows this station. */
  refresh(): void {
    const { memory } = this.#network
    for (let queue = 0; queue < memory.layout.maxQueues; queue++) {
      const at = memory.words[memory.layout.ringRef(this.#queue, queue)]
      const producer = this.producers[queue]
      if (at === 0) this.producers[queue] = undefined
      else if (producer?.at !== at || producer.version !== ringVersion(memory, at)) {
        this.producers[queue] = new RingProducer(memory, at)
      }
    }
    this.#learnedB = -1
  }

  /** Before the first packet of a burst. */
  begin(now: number): void {
    this.#nowMs = now === 0 ? 0 : Math.floor(now / 1e6) | 0
    this.#lastB = -1
  }

  /** Fills in where the packet goes; counts the queues that do not get it, because of a filter or without a holder. */
  resolve(): void {
    const { view, at } = this.#packet
    const a = view.getInt32(at, true)
    const b = view.getUint16(at + 4, true)
    this.count = 0
    if (!this.#direct) {
      this.#learn(view.getInt32(at + 6, true), view.getUint16(at + 10, true))
      if (b === this.#lastB && a === this.#lastA) {
        this.#aim(this.#last!)
        return
      }
      if ((a & 1) === 0) {
        const known = this.#network.macTable.lookup(a, b, this.#nowMs)
        if (known >= 0) {
          this.#forward(known, a, b)
          return
        }
      }
    }
    this.#flood(a, b)
  }

  #forward(known: number, a: number, b: number): void {
    const port = this.#network.ports[known]
    if (known === this.#port || !port.linkUp) {
      this.#countSwitch(SWITCH_UNDELIVERABLE)
    } else if (port.accepts(a, b)) {
      this.#lastA = a
      this.#lastB = b
      this.#last = port
      this.#aim(port)
    } else {
      this.#countDrop(port.firstQueue, DROP_FILTER)
    }
  }

  #flood(a: number, b: number): void {
    let reached = 0
    for (const port of this.#network.ports) {
      if (port.index === this.#port || !port.linkUp) continue
      reached++
      if (port.accepts(a, b)) this.#aim(port)
      else this.#countDrop(port.firstQueue, DROP_FILTER)
    }
    if (reached === 0) this.#countSwitch(SWITCH_UNDELIVERABLE)
    else if (reached > 1) this.#countSwitch(SWITCH_FLOODED)
  }

  #learn(a: number, b: number): void {
    if (a === this.#learnedA && b === this.#learnedB && this.#nowMs <= this.#relearnAt) return
    // A group address is no station.
    if (a & 1) return
    this.#learnedA = a
    this.#learnedB = b
    const { agingMs } = this.#network.memory.reference
    this.#relearnAt = agingMs > 0 ? this.#nowMs + Math.floor(agingMs / RELEARN_FRACTION) : 0x7fff_ffff
    if (this.#network.macTable.learn(a, b, this.#port, this.#nowMs)) this.#countSwitch(SWITCH_LEARNED)
  }

  /** Picks the queue of a NIC that takes the packet. */
  #aim(port: PortView): void {
    let hash = 0
    let queue = port.firstQueue
    if (port.queues > 1 || port.givesHash) {
      this.#packet.parse()
      if (port.givesHash) hash = this.#hash(port)
      if (port.queues > 1) queue += this.#steer(port, hash)
    }
    if (this.producers[queue] === undefined) {
      this.#countDrop(queue, DROP_NO_FRAME)
      return
    }
    const n = this.count++
    this.ports[n] = port
    this.queues[n] = queue
    this.hashes[n] = hash
  }

  #steer(port: PortView, hash: number): number {
    const { headers, view, at } = this.#packet
    if (port.ruleCount > 0) {
      const queue = matchRules(this.#words, port.rules, port.ruleCount, headers, view, at)
      if (queue >= 0) return queue
    }
    // What is not IP has no hash, and goes to the first queue as on real NICs.
    if (port.rssTable === 0 || headers.family === 0) return 0
    const spread = port.givesHash ? hash : this.#hash(port)
    return this.#words[port.indirection + (spread & (INDIRECTION_ENTRIES - 1))]
  }

  /** Source address, destination address, and the ports where there are any, as Microsoft's RSS hashes them. */
  #hash(port: PortView): number {
    const { headers, view, at } = this.#packet
    const { family } = headers
    if (port.rssTable === 0 || family === 0) return 0
    const length = addressesLength(family)
    const hash = toeplitz(this.#words, port.rssTable, view, at + headers.network + addressesAt(family), length, 0)
    return headers.ports ? hash ^ toeplitz(this.#words, port.rssTable, view, at + headers.transport, 4, length) : hash
  }

  #countDrop(queue: number, counter: number): void {
    const { layout, doubles } = this.#network.memory
    doubles[layout.drop(queue, this.#queue) + counter]++
  }

  #countSwitch(counter: number): void {
    const { layout, doubles } = this.#network.memory
    doubles[layout.switchCounters + this.#queue * SWITCH_COUNTERS + counter]++
  }
}

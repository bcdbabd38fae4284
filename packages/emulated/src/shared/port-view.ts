import {
  FLOW_CONTROL,
  GIVES_HASH,
  LINK_UP,
  MULTICAST_ENTRIES,
  PARTIAL_MARKED,
  PARTIAL_UNMARKED,
  PORT_FIRST_QUEUE,
  PORT_FLAGS,
  PORT_INDIRECTION,
  PORT_LATENCY,
  PORT_MAC_A,
  PORT_MAC_B,
  PORT_MAX_FRAME,
  PORT_NS_PER_BYTE,
  PORT_QUEUES,
  PORT_RSS_TABLE,
  PORT_RULE_COUNT,
  PORT_RULES,
  PORT_RX_BUSY,
  PORT_RX_SEGMENT,
  PORT_TX_BUSY,
  PRESENT,
  QUEUE_ALL_MULTICAST,
  QUEUE_MULTICAST,
  QUEUE_MULTICAST_COUNT,
  QUEUE_PROMISCUOUS,
  STAMPS,
  STRIPS_VLAN,
  VERIFIES,
} from './layout.ts'
import type { NetworkMemory } from './network-memory.ts'

/**
 * One NIC as a transmitter sees it: its registers, decoded into plain fields once for each change, so that sending a packet
 * reads no shared memory for them.
 */
export class PortView {
  readonly index: number
  present = false
  linkUp = false
  verifies = false
  partialMarked = false
  partialUnmarked = false
  stripsVlan = false
  givesHash = false
  stamps = false
  flowControl = false
  firstQueue = 0
  queues = 0
  macA = 0
  macB = 0
  maxFrame = 0
  rxSegment = 0
  rssTable = 0
  rules = 0
  ruleCount = 0
  /** Word offset of the indirection table. */
  indirection = 0
  /** The link takes time. */
  timed = false
  /** The link has a bandwidth. */
  paced = false
  /** Indices among the network's doubles: fields that hold doubles would be allocated when they are read. */
  latency = 0
  nsPerByte = 0
  txBusy = 0
  rxBusy = 0
  promiscuous = false
  allMulticast = false
  /** The union of what the queues listen to: first four and last two bytes of each address. */
  multicast = 0
  readonly multicastA: Int32Array
  readonly multicastB: Int32Array

  constructor(index: number, maxQueues: number) {
    this.index = index
    this.multicastA = new Int32Array(maxQueues * MULTICAST_ENTRIES)
    this.multicastB = new Int32Array(maxQueues * MULTICAST_ENTRIES)
  }

  decode(memory: NetworkMemory): void {
    const { words, doubles, layout } = memory
    const port = layout.port(this.index)
    const flags = words[port + PORT_FLAGS]
    this.present = (flags & PRESENT) !== 0
    this.linkUp = (flags & (PRESENT | LINK_UP)) === (PRESENT | LINK_UP)
    this.verifies = (flags & VERIFIES) !== 0
    this.partialMarked = (flags & PARTIAL_MARKED) !== 0
    this.partialUnmarked = (flags & PARTIAL_UNMARKED) !== 0
    this.stripsVlan = (flags & STRIPS_VLAN) !== 0
    this.givesHash = (flags & GIVES_HASH) !== 0
    this.stamps = (flags & STAMPS) !== 0
    this.flowControl = (flags & FLOW_CONTROL) !== 0
    this.firstQueue = words[port + PORT_FIRST_QUEUE]
    this.queues = words[port + PORT_QUEUES]
    this.macA = words[port + PORT_MAC_A]
    this.macB = words[port + PORT_MAC_B]
    this.maxFrame = words[port + PORT_MAX_FRAME]
    this.rxSegment = words[port + PORT_RX_SEGMENT]
    this.rssTable = words[port + PORT_RSS_TABLE]
    this.rules = words[port + PORT_RULES]
    this.ruleCount = words[port + PORT_RULE_COUNT]
    this.indirection = port + PORT_INDIRECTION
    this.latency = (port + PORT_LATENCY) >> 1
    this.nsPerByte = (port + PORT_NS_PER_BYTE) >> 1
    this.paced = doubles[this.nsPerByte] > 0
    this.timed = this.paced || doubles[this.latency] > 0
    this.txBusy = (port + PORT_TX_BUSY) >> 1
    this.rxBusy = (port + PORT_RX_BUSY) >> 1
    this.#decodeFilter(memory)
  }

  /** Whether the NIC's receive filter lets a packet to this destination address in. */
  accepts(a: number, b: number): boolean {
    if (a === this.macA && b === this.macB) return true
    if (this.promiscuous || (a === -1 && b === 0xffff)) return true
    if ((a & 1) === 0) return false
    if (this.allMulticast) return true
    for (let i = 0; i < this.multicast; i++) if (this.multicastA[i] === a && this.multicastB[i] === b) return true
    return false
  }

  #decodeFilter(memory: NetworkMemory): void {
    this.promiscuous = false
    this.allMulticast = false
    this.multicast = 0
    for (let queue = this.firstQueue; queue < this.firstQueue + this.queues; queue++) {
      const at = memory.layout.queue(queue)
      if (memory.words[at + QUEUE_PROMISCUOUS] !== 0) this.promiscuous = true
      if (memory.words[at + QUEUE_ALL_MULTICAST] !== 0) this.allMulticast = true
      for (let i = 0; i < memory.words[at + QUEUE_MULTICAST_COUNT]; i++) {
        this.multicastA[this.multicast] = memory.words[at + QUEUE_MULTICAST + 2 * i]
        this.multicastB[this.multicast++] = memory.words[at + QUEUE_MULTICAST + 2 * i + 1]
      }
    }
  }
}

/**
 * Where everything lies in a network's memory: one region that the control thread and every thread with a queue see. Tables
 * come first, then a heap for rings, scratch areas and lookup tables. Offsets are in 32-bit words unless a name says BYTES.
 *
 * Who writes what: the control thread writes ports, ring references and rules, and moves `EPOCH` on afterwards; a queue's
 * holder writes its receive filter, its row of drop and switch counters and its ends of its rings; transmitters write the
 * address table (see `mac-table.ts`) and the links' busy times.
 */

/** Header: moved on whenever something changed that queues keep decoded. */
export const EPOCH = 0
/** Header: ports in use are below this number. */
export const PORT_COUNT = 1
const HEADER_WORDS = 64

// One port: the registers of a NIC, and the end of its link.
export const PORT_FLAGS = 0
export const PORT_FIRST_QUEUE = 1
export const PORT_QUEUES = 2
/** The first four bytes of the MAC address, and the last two, as little-endian numbers. */
export const PORT_MAC_A = 3
export const PORT_MAC_B = 4
export const PORT_MAX_FRAME = 5
export const PORT_RX_SEGMENT = 6
/** Word offset of the Toeplitz tables; 0: no RSS. */
export const PORT_RSS_TABLE = 8
/** Word offset of the steering rules, and their number. */
export const PORT_RULES = 9
export const PORT_RULE_COUNT = 10
// Doubles, as indices into the port's words: nanoseconds of latency and a byte, and until when each direction is busy.
export const PORT_LATENCY = 12
export const PORT_NS_PER_BYTE = 14
export const PORT_TX_BUSY = 16
export const PORT_RX_BUSY = 18
export const PORT_INDIRECTION = 32
export const INDIRECTION_ENTRIES = 128
export const PORT_WORDS = PORT_INDIRECTION + INDIRECTION_ENTRIES

export const PRESENT = 1 << 0
export const LINK_UP = 1 << 1
export const VERIFIES = 1 << 2
export const PARTIAL_MARKED = 1 << 3
export const PARTIAL_UNMARKED = 1 << 4
export const STRIPS_VLAN = 1 << 5
export const GIVES_HASH = 1 << 6
export const STAMPS = 1 << 7
/** Its senders wait while its ring is full, as with IEEE 802.3x PAUSE. */
export const FLOW_CONTROL = 1 << 8

// One queue: what its holder wants to receive.
export const QUEUE_PROMISCUOUS = 0
/** More addresses than the table holds: every multicast packet is let in. */
export const QUEUE_ALL_MULTICAST = 1
export const QUEUE_MULTICAST_COUNT = 2
/** Thread that attached the queue last, plus 1. */
export const QUEUE_HOLDER = 3
export const QUEUE_MULTICAST = 4
export const MULTICAST_ENTRIES = 30
export const QUEUE_WORDS = 64

// Drops that a transmitter sees on behalf of the receiver, for each (receiving, transmitting) pair: doubles.
export const DROP_RING_FULL = 0
export const DROP_TOO_LONG = 1
export const DROP_FILTER = 2
export const DROP_NO_FRAME = 3
export const DROP_COUNTERS = 4

// What the switch did with a transmitter's packets: doubles.
export const SWITCH_FLOODED = 0
/** The destination is on the port that the packet came from, or there is no other port that is up. */
export const SWITCH_UNDELIVERABLE = 1
export const SWITCH_LEARNED = 2
export const SWITCH_COUNTERS = 4

// One entry of the address table.
export const MAC_ENTRIES = 4096
export const MAC_ENTRY_WORDS = 4

/** The layout that follows from the number of queues; the same arithmetic in every thread. */
export class Layout {
  readonly maxQueues: number
  readonly ports: number
  readonly queues: number
  readonly ringRefs: number
  readonly macTable: number
  /** In doubles. */
  readonly drops: number
  readonly switchCounters: number
  readonly heapBytes: number

  constructor(maxQueues: number) {
    this.maxQueues = maxQueues
    this.ports = HEADER_WORDS
    this.queues = this.ports + maxQueues * PORT_WORDS
    this.ringRefs = this.queues + maxQueues * QUEUE_WORDS
    this.macTable = this.ringRefs + maxQueues * maxQueues
    const counters = this.macTable + MAC_ENTRIES * MAC_ENTRY_WORDS
    this.drops = (counters + (counters & 1)) / 2
    this.switchCounters = this.drops + maxQueues * maxQueues * DROP_COUNTERS
    this.heapBytes = Math.ceil(((this.switchCounters + maxQueues * SWITCH_COUNTERS) * 8) / 4096) * 4096
  }

  port(port: number): number {
    return this.ports + port * PORT_WORDS
  }

  queue(queue: number): number {
    return this.queues + queue * QUEUE_WORDS
  }

  /** Byte offset of the ring from one queue to another is stored here; 0: none. */
  ringRef(from: number, to: number): number {
    return this.ringRefs + from * this.maxQueues + to
  }

  drop(to: number, from: number): number {
    return this.drops + (to * this.maxQueues + from) * DROP_COUNTERS
  }
}

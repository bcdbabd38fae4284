import {
  CHECKSUM_PARTIAL,
  COLUMN_CHECKSUM,
  COLUMN_HASH,
  COLUMN_SEGMENT,
  COLUMN_TIMESTAMP,
  COLUMN_VLAN,
  END_OF_PACKET,
  type FramePool,
  type NetBurst,
  RX_BYTES,
  RX_DROPPED_TOO_LONG,
  RX_PACKETS,
  SEGMENT_ANY,
  VLAN_TAGGED,
} from '@parakernel/hal'
import type { MemoryKernel } from '../memory/memory-kernel.ts'
import type { NetworkView } from '../shared/network-view.ts'
import {
  RECORD_BYTES,
  RECORD_CHECKSUM_OFFSET,
  RECORD_CHECKSUM_START,
  RECORD_FLAGS,
  RECORD_HASH,
  RECORD_HEADER_LENGTH,
  RECORD_LENGTH,
  RECORD_SEGMENT_SIZE,
  RECORD_TIME,
  RECORD_VLAN,
  RingConsumer,
  ringVersion,
} from '../shared/packet-ring.ts'

/**
 * The receiving half of a queue: takes packets from the rings of all transmitters, in turns, or in order of arrival where
 * links take time, and copies them into frames. Frames are taken when a packet is, so a pool that ran dry leaves packets in
 * their rings, and what then does not fit there is counted as a full ring.
 */
export class Receiver {
  readonly #network: NetworkView
  readonly #queue: number
  readonly #pool: FramePool
  readonly #kernel: MemoryKernel
  readonly #counters: Float64Array
  readonly #maxChain: number
  /** Bytes of a frame that a device fills. */
  readonly #room: number
  #consumers: RingConsumer[] = []
  #turn = 0

  constructor(
    network: NetworkView,
    queue: number,
    pool: FramePool,
    kernel: MemoryKernel,
    counters: Float64Array,
    maxChain: number,
  ) {
    this.#network = network
    this.#queue = queue
    this.#pool = pool
    this.#kernel = kernel
    this.#counters = counters
    this.#maxChain = maxChain
    this.#room = pool.frameSize - pool.headroom - pool.window.tailroom
  }

  /** After a change of the network's tables: the rings that lead here. */
  refresh(): void {
    const { memory } = this.#network
    const consumers: RingConsumer[] = []
    for (let from = 0; from < memory.layout.maxQueues; from++) {
      const at = memory.words[memory.layout.ringRef(from, this.#queue)]
      if (at === 0) continue
      const version = ringVersion(memory, at)
      const known = this.#consumers.find((consumer) => consumer.at === at && consumer.version === version)
      consumers.push(known ?? new RingConsumer(memory, at))
    }
    this.#consumers = consumers
    this.#turn = 0
  }

  /** Starts with another transmitter each time, so that a busy one does not starve the rest. */
  receive(burst: NetBurst): void {
    const consumers = this.#consumers
    const sources = consumers.length
    if (sources === 0) return
    let index = this.#turn
    this.#turn = index + 1 < sources ? index + 1 : 0
    for (let n = 0; n < sources; n++) {
      const consumer = consumers[index]
      const more = this.#drain(consumer, burst)
      consumer.publish()
      if (!more) return
      index = index + 1 < sources ? index + 1 : 0
    }
  }

  /** Only packets that have arrived by `now`, earliest first; transmitters with equal times in order of their numbers. */
  receiveUntil(burst: NetBurst, now: number): void {
    const consumers = this.#consumers
    const { doubles } = this.#network.memory
    for (;;) {
      let next = -1
      let nextRecord = -1
      for (let i = 0; i < consumers.length; i++) {
        const record = consumers[i].peek()
        if (record < 0 || doubles[timeOf(record)] > now) continue
        // Compared in place: a local double that outlives its turn of the loop would be allocated.
        if (next >= 0 && doubles[timeOf(record)] >= doubles[timeOf(nextRecord)]) continue
        next = i
        nextRecord = record
      }
      if (next < 0 || !this.#take(consumers[next], nextRecord, burst)) break
    }
    for (const consumer of consumers) consumer.publish()
  }

  /** Whether anything is there or under way. */
  get expecting(): boolean {
    for (const consumer of this.#consumers) if (consumer.peek() >= 0) return true
    return false
  }

  /** When the next packet arrives, or arrived; Infinity without one. */
  nextTime(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const consumer of this.#consumers) {
      const time = consumer.nextTime()
      if (time < earliest) earliest = time
    }
    return earliest
  }

  /** False when the burst or the pool has no more room. */
  #drain(consumer: RingConsumer, burst: NetBurst): boolean {
    while (burst.count < burst.capacity) {
      const record = consumer.peek()
      if (record < 0) return true
      if (!this.#take(consumer, record, burst)) return false
    }
    return false
  }

  /** Moves one packet into the burst, or counts it as too long; false leaves it where it is. */
  #take(consumer: RingConsumer, record: number, burst: NetBurst): boolean {
    const { words } = this.#network.memory
    const word = record >> 2
    const length = words[word + RECORD_LENGTH]
    const first = burst.count
    if (length <= this.#room) {
      if (first >= burst.capacity) return false
      const frame = this.#pool.allocateForDevice()
      if (frame < 0) return false
      this.#fill(burst, frame, record + RECORD_BYTES, length)
    } else {
      const entries = Math.ceil(length / this.#room)
      if (entries > this.#maxChain || entries > burst.capacity) {
        this.#counters[RX_DROPPED_TOO_LONG]++
        consumer.pop(record)
        return true
      }
      if (first + entries > burst.capacity || this.#pool.available < entries) return false
      for (let done = 0; done < length; done += this.#room) {
        const part = Math.min(this.#room, length - done)
        this.#fill(burst, this.#pool.allocateForDevice(), record + RECORD_BYTES + done, part)
      }
    }
    const flags = words[word + RECORD_FLAGS]
    burst.flags[burst.count - 1] |= END_OF_PACKET
    burst.flags[first] |= flags
    this.#describe(burst, first, word, flags)
    this.#counters[RX_PACKETS]++
    this.#counters[RX_BYTES] += length
    consumer.pop(record)
    return true
  }

  #fill(burst: NetBurst, frame: number, from: number, length: number): void {
    const pool = this.#pool
    pool.lend(frame, 0, 0)
    this.#kernel.take(pool.address(frame) + pool.headroom, from, length)
    pool.handOver(frame)
    const entry = burst.count++
    burst.frame[entry] = frame
    burst.offset[entry] = pool.headroom
    burst.length[entry] = length
    burst.flags[entry] = 0
  }

  #describe(burst: NetBurst, entry: number, word: number, flags: number): void {
    const { words, doubles } = this.#network.memory
    const columns = burst.columns
    if (columns & COLUMN_HASH) burst.hash[entry] = words[word + RECORD_HASH]
    if (columns & COLUMN_TIMESTAMP) burst.timestamp[entry] = doubles[(word + RECORD_TIME) >> 1]
    if (columns & COLUMN_SEGMENT) burst.segmentSize[entry] = 0
    if ((flags & (CHECKSUM_PARTIAL | SEGMENT_ANY | VLAN_TAGGED)) === 0) return
    if (flags & CHECKSUM_PARTIAL && columns & COLUMN_CHECKSUM) {
      burst.checksumStart[entry] = words[word + RECORD_CHECKSUM_START]
      burst.checksumOffset[entry] = words[word + RECORD_CHECKSUM_OFFSET]
    }
    if (flags & SEGMENT_ANY && columns & COLUMN_SEGMENT) {
      burst.segmentSize[entry] = words[word + RECORD_SEGMENT_SIZE]
      burst.headerLength[entry] = words[word + RECORD_HEADER_LENGTH]
    }
    if (flags & VLAN_TAGGED && columns & COLUMN_VLAN) burst.vlan[entry] = words[word + RECORD_VLAN]
  }
}

/** Index of a record's time of arrival among the doubles. */
function timeOf(record: number): number {
  return (record >> 3) + (RECORD_TIME >> 1)
}

import {
  type Clock,
  COLUMN_CHECKSUM,
  COLUMN_HASH,
  COLUMN_SEGMENT,
  COLUMN_TIMESTAMP,
  COLUMN_VLAN,
  END_OF_PACKET,
  ForwardingQueue,
  type Host,
  type NetBurst,
  type NetQueue,
  PacketLayout,
} from '@parakernel/hal'
import type { RingDescriptor } from '../contracts.ts'
import { RingConsumer } from '../ring/ring-consumer.ts'
import { RingProducer } from '../ring/ring-producer.ts'
import { Classifier, type PartitionRule } from './rule.ts'
import { DROPPED_RING_FULL, DROPPED_TOO_LONG, HANDED_OVER, KEPT, SteeringCounters, TAKEN_OVER } from './statistics.ts'

/** Words before the bytes of an entry: its length, flags, and the columns that a burst may have. */
const LENGTH = 0
const FLAGS = 1
const CHECKSUM = 2
const SEGMENT = 3
const HASH = 4
const VLAN = 5
const TIMESTAMP = 6
export const STEERING_HEADER_BYTES = 32

/** Bursts that may be another's from the first packet to the last, before the rest waits for the next poll. */
const BURSTS_A_CALL = 8

/** What a partition needs to steer in software: plain data. */
export interface SteeringPlan {
  readonly rules: readonly PartitionRule[]
  /** Rings by partner partition, whose slots hold a frame and `STEERING_HEADER_BYTES`; undefined at the own index. */
  readonly incoming: readonly (RingDescriptor | undefined)[]
  readonly outgoing: readonly (RingDescriptor | undefined)[]
  /** Shared memory of `SteeringCounters`. */
  readonly counters: SharedArrayBuffer
}

export interface SteeringContext {
  readonly partition: number
  readonly partitions: number
  readonly clock: Clock
  readonly host: Host | undefined
}

/**
 * Puts the software's half of steering around a partition's queues of one device: what belongs to another partition is handed to it
 * over a ring, in the order in which it came, and what others hand over is received from the first queue.
 * @throws EINVAL for rules that make no sense
 */
export function steerQueues(queues: readonly NetQueue[], plan: SteeringPlan, context: SteeringContext): NetQueue[] {
  const { rules, incoming, outgoing } = plan
  const own: Own = {
    partition: context.partition,
    clock: context.clock,
    classifier: new Classifier(rules, context.partitions),
    counts: new SteeringCounters(plan.counters).values,
    producers: outgoing.map((ring) => ring && new RingProducer(ring, context.host)),
  }
  const consumers = incoming.flatMap((ring) => (ring === undefined ? [] : [new RingConsumer(ring)]))
  return queues.map((queue, i) => new SteeredQueue(queue, own, i === 0 ? consumers : []))
}

/** What the queues of a partition share. */
interface Own {
  readonly partition: number
  readonly clock: Clock
  readonly classifier: Classifier
  readonly counts: Float64Array
  readonly producers: readonly (RingProducer | undefined)[]
}

class SteeredQueue extends ForwardingQueue {
  readonly #own: Own
  readonly #consumers: readonly RingConsumer[]
  readonly #layout = new PacketLayout()
  readonly #time = new Float64Array(1)
  readonly #timeWords = new Int32Array(this.#time.buffer)
  /** The ring whose turn is next, and whether the rings have had theirs last: they and the device take turns. */
  #nextRing = 0
  #fromDevice = true

  constructor(inner: NetQueue, own: Own, consumers: readonly RingConsumer[]) {
    super(inner, inner.grant)
    this.#own = own
    this.#consumers = consumers
  }

  receive(burst: NetBurst): number {
    this.#fromDevice = !this.#fromDevice
    if (!this.#fromDevice && this.#takeOver(burst) > 0) return burst.count
    for (let i = 0; i < BURSTS_A_CALL; i++) {
      if (this.inner.receive(burst) === 0) break
      if (this.#sift(burst) > 0) return burst.count
    }
    return this.#takeOver(burst)
  }

  transmit(burst: NetBurst, start?: number): number {
    return this.inner.transmit(burst, start)
  }

  override arm(): boolean {
    // Both: the device is to wake us whether or not there is something in a ring.
    const armed = this.inner.arm()
    return this.#handedOver() || armed
  }

  override nextEvent(): number {
    return this.#handedOver() ? this.#own.clock.now() : super.nextEvent()
  }

  #handedOver(): boolean {
    for (let i = 0; i < this.#consumers.length; i++) if (this.#consumers[i].arm()) return true
    return false
  }

  /** Hands on what is another's, and moves the rest together. */
  #sift(burst: NetBurst): number {
    const { pool } = this
    const { classifier, partition, counts, producers } = this.#own
    const { count } = burst
    let kept = 0
    for (let first = 0, last = 0; first < count; first = last + 1) {
      last = first
      while ((burst.flags[last] & END_OF_PACKET) === 0) last++
      const start = pool.address(burst.frame[first]) + burst.offset[first]
      this.#layout.ofFrame(pool.bytes, start, burst.length[first])
      const owner = classifier.ownerOf(pool.bytes, this.#layout)
      if (owner < 0 || owner === partition) {
        counts[KEPT]++
        for (let i = first; i <= last; i++, kept++) if (kept !== i) burst.copyEntry(kept, burst, i)
        continue
      }
      counts[this.#handOver(burst, first, last, producers[owner] as RingProducer)]++
      for (let i = first; i <= last; i++) pool.release(burst.frame[i])
    }
    burst.count = kept
    // Published once a burst: a packet costs its copy.
    if (kept < count) for (let i = 0; i < producers.length; i++) producers[i]?.publish()
    return kept
  }

  /** Returns the counter of what became of the packet. */
  #handOver(burst: NetBurst, first: number, last: number, ring: RingProducer): number {
    const { pool } = this
    const room = ring.slotBytes - STEERING_HEADER_BYTES
    for (let i = first; i <= last; i++) if (burst.length[i] > room) return DROPPED_TOO_LONG
    // Whole packets only. A full ring is looked at anew by `room`.
    if (ring.room < last - first + 1) return DROPPED_RING_FULL
    for (let i = first; i <= last; i++) {
      const at = ring.claim()
      const word = at >> 2
      const { words } = ring
      words[word + LENGTH] = burst.length[i]
      words[word + FLAGS] = burst.flags[i]
      const { columns } = burst
      if (columns & COLUMN_CHECKSUM) words[word + CHECKSUM] = (burst.checksumStart[i] << 16) | burst.checksumOffset[i]
      if (columns & COLUMN_SEGMENT) words[word + SEGMENT] = (burst.segmentSize[i] << 16) | burst.headerLength[i]
      if (columns & COLUMN_HASH) words[word + HASH] = burst.hash[i]
      if (columns & COLUMN_VLAN) words[word + VLAN] = burst.vlan[i]
      if (columns & COLUMN_TIMESTAMP) {
        this.#time[0] = burst.timestamp[i]
        words[word + TIMESTAMP] = this.#timeWords[0]
        words[word + TIMESTAMP + 1] = this.#timeWords[1]
      }
      const from = pool.address(burst.frame[i]) + burst.offset[i]
      pool.copyOut(from, burst.length[i], ring.bytes, at + STEERING_HEADER_BYTES)
    }
    return HANDED_OVER
  }

  /** Fills the burst from one ring. A packet stays in its ring until there are frames for it. */
  #takeOver(burst: NetBurst): number {
    burst.count = 0
    const consumers = this.#consumers
    const { maxChain } = this.capabilities
    for (let tried = 0; tried < consumers.length && burst.count === 0; tried++) {
      const ring = consumers[this.#nextRing]
      this.#nextRing = this.#nextRing + 1 < consumers.length ? this.#nextRing + 1 : 0
      let packets = 0
      // A packet's entries were published together, so that its last one is there when its first one is.
      while (burst.count + maxChain <= burst.capacity && this.#hasFrames(maxChain)) {
        let at = ring.take()
        if (at < 0) break
        packets++
        while (this.#takeEntry(burst, ring, at)) at = ring.take()
      }
      if (ring.release() > 0) this.#own.counts[TAKEN_OVER] += packets
    }
    return burst.count
  }

  #hasFrames(count: number): boolean {
    return this.pool.available - this.pool.deviceReserve >= count
  }

  /** Whether its packet goes on. */
  #takeEntry(burst: NetBurst, ring: RingConsumer, at: number): boolean {
    const { pool } = this
    const { words } = ring
    const word = at >> 2
    const length = words[word + LENGTH]
    const flags = words[word + FLAGS]
    const frame = pool.allocate()
    pool.copyIn(pool.address(frame) + pool.headroom, ring.bytes, at + STEERING_HEADER_BYTES, length)
    const i = burst.count
    burst.push(frame, pool.headroom, length)
    burst.flags[i] = flags
    const { columns } = burst
    if (columns & COLUMN_CHECKSUM) {
      burst.checksumStart[i] = words[word + CHECKSUM] >>> 16
      burst.checksumOffset[i] = words[word + CHECKSUM] & 0xffff
    }
    if (columns & COLUMN_SEGMENT) {
      burst.segmentSize[i] = words[word + SEGMENT] >>> 16
      burst.headerLength[i] = words[word + SEGMENT] & 0xffff
    }
    if (columns & COLUMN_HASH) burst.hash[i] = words[word + HASH]
    if (columns & COLUMN_VLAN) burst.vlan[i] = words[word + VLAN]
    if (columns & COLUMN_TIMESTAMP) {
      this.#timeWords[0] = words[word + TIMESTAMP]
      this.#timeWords[1] = words[word + TIMESTAMP + 1]
      burst.timestamp[i] = this.#time[0]
    }
    return (flags & END_OF_PACKET) === 0
  }
}

import type { Clock, FramePool } from '@parakernel/hal'
import { Ipv6Counters } from '../ipv6/counters.ts'
import { type PacketMemory, poolMemory } from '../packet-memory.ts'
import type { RandomSource } from '../random.ts'
import { StackCounters } from '../statistics/counters.ts'

/** What all interfaces and protocols of a partition's stack share. Data, and nothing that acts. */
export class StackContext {
  /** Frames of every interface: all of their queues are over one window, so that a frame may come by one and leave by another. */
  readonly pool: FramePool
  readonly memory: PacketMemory
  readonly counters = new StackCounters()
  readonly counters6 = new Ipv6Counters()
  readonly random: RandomSource
  readonly clock: Clock
  /**
   * Element 0: the time of the present round or call, in nanoseconds. An array, because a double that is passed to a function
   * for every packet is an allocation for every packet.
   */
  readonly time = new Float64Array(1)
  /** Set by whatever may have moved the next time at which a protocol has something to do: the fast path never does. */
  timersMoved = false
  /**
   * Counts what may change the way to a destination: addresses, routes, MTUs, MAC addresses of our own. A `Path` that was worked
   * out under another number works itself out again before it is used.
   */
  generation = 1

  constructor(pool: FramePool, random: RandomSource, clock: Clock) {
    this.pool = pool
    this.memory = poolMemory(pool)
    this.random = random
    this.clock = clock
  }
}

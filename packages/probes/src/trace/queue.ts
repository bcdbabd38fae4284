import {
  type Clock,
  ForwardingQueue,
  type NetBurst,
  type NetQueue,
  type NetQueueGrant,
  RecordRing,
} from '@parakernel/hal'
import { RECEIVE, REFUSED_ENTRIES, RING_FULL, SLEEP, TRANSMIT } from './record-kinds.ts'
import type { TraceSettings } from './settings.ts'

/**
 * A queue that notes its bursts. Two clock reads for a burst with work, one for an empty poll, which leaves no record: a
 * polling loop would fill the ring with them. Allocates nothing after construction.
 */
export class TraceQueue extends ForwardingQueue {
  readonly #clock: Clock
  readonly #ring: RecordRing
  /** A sleep may be under way, since `#armedAt`. */
  #armed = false
  #armedAt = 0

  constructor(inner: NetQueue, grant: NetQueueGrant, settings: TraceSettings, clock: Clock) {
    super(inner, grant)
    this.#clock = clock
    this.#ring = new RecordRing(settings.ring)
  }

  receive(burst: NetBurst): number {
    const ring = this.#ring
    ring.start = this.#clock.now()
    if (this.#armed) this.#wakeUp()
    const count = this.inner.receive(burst)
    if (count === 0) return 0
    ring.end = this.#clock.now()
    ring.add(RECEIVE, count, burst.capacity)
    return count
  }

  transmit(burst: NetBurst, start = 0): number {
    const ring = this.#ring
    ring.start = this.#clock.now()
    if (this.#armed) this.#wakeUp()
    const offered = burst.count - start
    const done = this.inner.transmit(burst, start)
    if (offered <= 0) return done
    ring.end = this.#clock.now()
    ring.add(TRANSMIT, offered, done)
    if (done < offered) ring.add(RING_FULL, offered - done, 0)
    if (burst.refused > 0) ring.add(REFUSED_ENTRIES, burst.refused, 0)
    return done
  }

  override arm(): boolean {
    const work = this.inner.arm()
    this.#armed = !work
    if (this.#armed) this.#armedAt = this.#clock.now()
    return work
  }

  /** The call that began at `ring.start` is the first since the queue was armed: until then the holder slept, or was about to. */
  #wakeUp(): void {
    const ring = this.#ring
    const now = ring.start
    this.#armed = false
    ring.start = this.#armedAt
    ring.end = now
    ring.add(SLEEP, 0, 0)
    ring.start = now
  }
}

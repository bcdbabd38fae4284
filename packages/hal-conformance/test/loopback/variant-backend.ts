import {
  type AttachContext,
  NetBurst as Burst,
  ControlBlock,
  GRANT_ATTACHED,
  type NetBurst,
  type NetQueueGrant,
  REFUSED,
  RX_DROPPED_NO_FRAME,
  RX_PACKETS,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
} from '@parakernel/hal'
import { LoopbackDevice } from './device.ts'
import { LoopbackQueue, type LoopbackTransport } from './queue.ts'

type Transport = LoopbackTransport & { readonly variant: string }
type Grant = NetQueueGrant<Transport>

/** Queues with one defect each, which the suite has to find. */
const defects: Readonly<Record<string, new (grant: Grant, context: AttachContext) => LoopbackQueue>> = {
  'spoils a received byte': class extends LoopbackQueue {
    override receive(burst: NetBurst): number {
      const count = super.receive(burst)
      if (count > 0) this.pool.bytes[this.pool.address(burst.frame[count - 1]) + burst.offset[count - 1] + 50] ^= 1
      return count
    }
  },
  'swaps received packets': class extends LoopbackQueue {
    override receive(burst: NetBurst): number {
      const count = super.receive(burst)
      if (count > 1) {
        const frame = burst.frame[0]
        burst.frame[0] = burst.frame[1]
        burst.frame[1] = frame
      }
      return count
    }
  },
  'drops a received packet without a word': class extends LoopbackQueue {
    #seen = 0
    override receive(burst: NetBurst): number {
      if (super.receive(burst) > 0 && ++this.#seen % 7 === 0) this.pool.release(burst.frame[--burst.count])
      return burst.count
    }
  },
  'drops a transmitted packet without a word': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      if (burst.count - start < 3) return super.transmit(burst, start)
      this.pool.release(burst.frame[burst.count - 1])
      burst.count--
      const done = super.transmit(burst, start)
      burst.count++
      return done + 1
    }
  },
  'drops for want of a frame without a word': class extends LoopbackQueue {
    override receive(burst: NetBurst): number {
      const before = this.counters.values[RX_DROPPED_NO_FRAME]
      const count = super.receive(burst)
      this.counters.values[RX_DROPPED_NO_FRAME] = before
      return count
    }
  },
  'counts received packets twice': class extends LoopbackQueue {
    override receive(burst: NetBurst): number {
      const count = super.receive(burst)
      this.counters.values[RX_PACKETS] += count
      return count
    }
  },
  'counts refusals as sent': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      const done = super.transmit(burst, start)
      this.counters.values[TX_INVALID_DESCRIPTORS] -= burst.refused
      this.counters.values[TX_PACKETS] += burst.refused
      return done
    }
  },
  'leaks a frame now and then': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      if (burst.count > start && this.pool.holds(burst.frame[start])) this.pool.retain(burst.frame[start])
      return super.transmit(burst, start)
    }
  },
  'takes the frame of a refused packet': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      const done = super.transmit(burst, start)
      for (let i = start; i < start + done; i++) {
        if ((burst.flags[i] & REFUSED) !== 0 && this.pool.holds(burst.frame[i])) this.pool.release(burst.frame[i])
      }
      return done
    }
  },
  'does not mark what it refuses': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      const done = super.transmit(burst, start)
      for (let i = start; i < burst.count; i++) burst.flags[i] &= ~REFUSED
      return done
    }
  },
  'overwrites the headroom': class extends LoopbackQueue {
    override receive(burst: NetBurst): number {
      const count = super.receive(burst)
      for (let i = 0; i < count; i++) {
        const start = this.pool.address(burst.frame[i])
        this.pool.bytes.copyWithin(start, start + burst.offset[i], start + burst.offset[i] + burst.length[i])
        burst.offset[i] = 0
      }
      return count
    }
  },
  'says that there is nothing when there is': class extends LoopbackQueue {
    override arm(): boolean {
      return false
    }
  },
  'goes on after it was reclaimed': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      if (this.control.state !== GRANT_ATTACHED && burst.count > start) {
        this.pool.release(burst.frame[start])
        return 1
      }
      return super.transmit(burst, start)
    }
  },
  'throws from the data path': class extends LoopbackQueue {
    override transmit(burst: NetBurst, start = 0): number {
      if (burst.length[start] <= 0 && burst.count > start) throw new RangeError('length')
      return super.transmit(burst, start)
    }
  },
  'attaches as often as it is asked': class extends LoopbackQueue {
    constructor(grant: Grant, context: AttachContext) {
      new ControlBlock(grant.control).transition(GRANT_ATTACHED, 0)
      super(grant, context)
    }
  },
  'takes more than the burst holds': class extends LoopbackQueue {
    override receive(burst: NetBurst): number {
      const count = super.receive(burst)
      return count === burst.capacity ? count + 1 : count
    }
  },
}

export const defectNames = Object.keys(defects)

/** Queues that differ from the plain one in what the contract leaves open. */
const choices: typeof defects = {
  'leaves packets in the ring while it has no frame': class extends LoopbackQueue {
    readonly #one = new Burst(1)
    override receive(burst: NetBurst): number {
      burst.count = 0
      while (burst.count < burst.capacity && this.pool.available > 0 && super.receive(this.#one) === 1) {
        burst.copyEntry(burst.count++, this.#one, 0)
      }
      return burst.count
    }
  },
}

export const choiceNames = Object.keys(choices)

export const backend = {
  attach: (grant: NetQueueGrant, context: AttachContext) => {
    const { variant } = grant.transport as Transport
    return new { ...defects, ...choices }[variant](grant as Grant, context)
  },
}

/** A device whose queues have a defect, or make another choice. */
export class VariantDevice extends LoopbackDevice {
  readonly #variant: string

  constructor(variant: string) {
    super('variant0', 1, import.meta.url)
    this.#variant = variant
  }

  override grant(...request: Parameters<LoopbackDevice['grant']>): Grant {
    const grant = super.grant(...request)
    return { ...grant, transport: { ...grant.transport, variant: this.#variant } }
  }
}

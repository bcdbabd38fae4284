import type { NetBurst } from '@parakernel/hal'
import { FakeQueue } from './fake-queue.ts'

/** A queue that always has 32 packets, and takes everything: no allocation of its own. */
export class EndlessQueue extends FakeQueue {
  override receive(burst: NetBurst): number {
    burst.count = 0
    while (burst.count < 32) {
      const frame = this.pool.allocateForDevice()
      if (frame < 0) break
      burst.push(frame, this.pool.headroom, 60)
    }
    return burst.count
  }

  override transmit(burst: NetBurst, start = 0): number {
    burst.refused = 0
    for (let i = start; i < burst.count; i++) this.pool.giveBack(burst.frame[i])
    return burst.count - start
  }
}

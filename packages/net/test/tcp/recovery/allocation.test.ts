import { describe, it } from 'vitest'
import { createCongestionControl } from '../../../src/tcp/congestion/create.ts'
import { LossRecovery } from '../../../src/tcp/recovery/loss-recovery.ts'
import { ACK, instant, Segment } from '../../../src/tcp/segment.ts'
import { tcpSettings } from '../../../src/tcp/settings.ts'
import { expectAllocation } from '../../support/allocation.ts'

const MSS = 1448
const ROUNDS = 400_000

describe('the path of a segment', () => {
  it.each([
    ['in order', 0],
    ['with a loss in every thousand', 1000],
  ])('allocates nothing in steady state: %s', async (_name, lossEvery) => {
    const settings = tcpSettings({ congestionControl: 'cubic' })
    const recovery = new LossRecovery(settings, createCongestionControl(settings))
    const now = instant(1e9)
    const ack = new Segment()
    ack.flags = ACK
    let next = 1
    let una = 1
    recovery.start(0, MSS, true, true, now)
    recovery.sent(0, 1, now, false)
    ack.acknowledgment = 1
    recovery.acknowledged(ack, 0, 1, true, now)

    const run = (rounds: number): void => {
      for (let i = 1; i <= rounds; i++) {
        now[0] += 10_000
        while (((next - una) | 0) < 64 * MSS && recovery.allowance(next) >= MSS) {
          recovery.sent(next, MSS, now, false)
          next = (next + MSS) | 0
        }
        if (recovery.deadline <= now[0]) recovery.expired(now)
        if (recovery.nextRetransmission(next, true)) {
          recovery.sent(recovery.retransmitSequence, recovery.retransmitLength, now, true)
        }
        if (lossEvery > 0 && i % lossEvery === 0) {
          // Everything after the first segment is reported, and then that too.
          ack.sackCount = 1
          ack.sackLeft[0] = (una + MSS) | 0
          ack.sackRight[0] = next
          ack.acknowledgment = una
          recovery.acknowledged(ack, una, next, false, now)
          ack.sackCount = 0
          continue
        }
        const to = ((next - una) | 0) > 2 * MSS ? (una + 2 * MSS) | 0 : next
        if (to === una) continue
        ack.acknowledgment = to
        const before = una
        una = to
        recovery.acknowledged(ack, before, next, false, now)
      }
    }
    run(100_000)
    // What is left is less than a byte a round.
    await expectAllocation(() => run(ROUNDS), ROUNDS)
  })
})

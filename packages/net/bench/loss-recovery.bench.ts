/**
 * What loss recovery and congestion control cost a segment: two sent, one acknowledgment for both, and the questions that a
 * connection asks in between. In order; with everything after a hole sacked; and with a hole in every hundredth round.
 */
import { benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { createCongestionControl } from '../src/tcp/congestion/create.ts'
import { LossRecovery } from '../src/tcp/recovery/loss-recovery.ts'
import { ACK, instant, Segment } from '../src/tcp/segment.ts'
import { tcpSettings } from '../src/tcp/settings.ts'

const MSS = 1448
const WINDOW = 256
const ROUNDS = 20_000
const TRIALS = 60

class Flow {
  readonly now = instant(1e9)
  readonly ack = new Segment()
  readonly recovery: LossRecovery
  next = 1
  una = 1

  constructor(congestionControl: 'cubic' | 'newreno') {
    const settings = tcpSettings({ congestionControl })
    this.recovery = new LossRecovery(settings, createCongestionControl(settings))
    this.ack.flags = ACK
    this.recovery.start(0, MSS, true, true, this.now)
    this.recovery.sent(0, 1, this.now, false)
    this.acknowledge(1)
  }

  acknowledge(to: number): void {
    const before = this.una
    this.una = to
    this.ack.acknowledgment = to
    this.recovery.acknowledged(this.ack, before, this.next, false, this.now)
  }

  /** As a connection does after each acknowledgment. */
  send(): void {
    const { recovery, now } = this
    if (recovery.deadline <= now[0]) recovery.expired(now)
    while (recovery.nextRetransmission(this.next, true)) {
      recovery.sent(recovery.retransmitSequence, recovery.retransmitLength, now, true)
    }
    while (((this.next - this.una) | 0) < WINDOW * MSS && recovery.allowance(this.next) >= MSS) {
      recovery.sent(this.next, MSS, now, false)
      this.next = (this.next + MSS) | 0
    }
  }

  round(): void {
    this.now[0] += 10_000
    this.send()
    this.acknowledge(((this.next - this.una) | 0) > 2 * MSS ? (this.una + 2 * MSS) | 0 : this.next)
  }

  /** Everything but the first segment is reported, and then that too. */
  hole(): void {
    const { ack } = this
    this.now[0] += 10_000
    ack.sackCount = 1
    ack.sackLeft[0] = (this.una + MSS) | 0
    ack.sackRight[0] = this.next
    this.acknowledge(this.una)
    ack.sackCount = 0
    this.send()
  }
}

function inOrder(control: 'cubic' | 'newreno'): number {
  const flow = new Flow(control)
  const run = (rounds: number) => {
    for (let i = 0; i < rounds; i++) flow.round()
  }
  run(ROUNDS)
  return bestNanoseconds(ROUNDS, run, TRIALS)
}

function withHoles(): number {
  const flow = new Flow('cubic')
  const run = (rounds: number) => {
    for (let i = 0; i < rounds; i++) {
      if (i % 100 === 99) flow.hole()
      else flow.round()
    }
  }
  run(ROUNDS)
  return bestNanoseconds(ROUNDS, run, TRIALS)
}

await benchCases(
  import.meta,
  {
    title: 'loss recovery: two segments sent, and their acknowledgment',
    unit: 'ns',
    better: 'less',
    baseline: 'in order, cubic',
  },
  {
    'in order, cubic': () => inOrder('cubic'),
    'in order, newreno': () => inOrder('newreno'),
    'a hole in every hundredth round, cubic': withHoles,
  },
)

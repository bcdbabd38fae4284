import type { CongestionControl } from '../../../../src/tcp/congestion/congestion-control.ts'
import { createCongestionControl } from '../../../../src/tcp/congestion/create.ts'
import { LossRecovery } from '../../../../src/tcp/recovery/loss-recovery.ts'
import { timestampAt } from '../../../../src/tcp/recovery/timestamp-clock.ts'
import { ACK, type Instant, instant, Segment } from '../../../../src/tcp/segment.ts'
import { type TcpSettings, tcpSettings } from '../../../../src/tcp/settings.ts'

export const MS = 1e6
export const MSS = 1000

export interface Report {
  /** Segments `[from, to)` counted from the first byte of data, as SACK blocks, in this order. */
  sack?: readonly (readonly [number, number])[]
  /** Time of the transmission that is echoed, ms; nothing: no timestamp. */
  echo?: number
  windowChanged?: boolean
  /** Payload that the acknowledgment carries. */
  length?: number
}

/** A sender in segments of 1000 bytes and in milliseconds, which are what the RFCs count in. The first byte is number 0. */
export class Scenario {
  readonly recovery: LossRecovery
  readonly congestion: CongestionControl
  readonly now: Instant = instant()
  readonly first: number
  una: number
  next: number

  constructor(
    settings: Partial<TcpSettings> = {},
    options: { sack?: boolean; timestamps?: boolean; first?: number } = {},
  ) {
    const all = tcpSettings({ hystart: false, ...settings })
    this.congestion = createCongestionControl(all)
    this.recovery = new LossRecovery(all, this.congestion)
    this.first = options.first ?? 1
    this.una = this.first
    this.next = this.first
    const syn = (this.first - 1) | 0
    this.recovery.timestampOffset = 12_345
    this.recovery.start(syn, MSS, options.sack ?? true, options.timestamps ?? false, this.now)
    this.recovery.sent(syn, 1, this.now, false)
    this.at(100)
    this.#acknowledge(this.first, syn, {})
  }

  /** The time is `ms` from now on. */
  at(ms: number): this {
    this.now[0] = ms * MS
    return this
  }

  /** Sends `count` new segments of `length`. */
  send(count: number, length = MSS): this {
    for (let i = 0; i < count; i++) {
      const sequence = this.next
      this.next = (this.next + length) | 0
      this.recovery.sent(sequence, length, this.now, false)
    }
    return this
  }

  /** As a connection does with nothing new to send: everything that may be sent again is. @returns numbers of the segments */
  resend(newDataReady = false): number[] {
    const sent: number[] = []
    while (this.recovery.nextRetransmission(this.next, newDataReady)) {
      const { retransmitSequence, retransmitLength } = this.recovery
      sent.push(((retransmitSequence - this.first) | 0) / MSS)
      this.recovery.sent(retransmitSequence, retransmitLength, this.now, true)
    }
    return sent
  }

  /** Sends new segments as long as loss recovery allows. @returns how many */
  fill(limit = 1000): number {
    let count = 0
    while (count < limit && this.recovery.allowance(this.next) >= MSS) {
      this.send(1)
      count++
    }
    return count
  }

  /** An acknowledgment of everything before segment `segments`. */
  ack(segments: number, report: Report = {}): this {
    const una = this.una
    this.una = (this.first + segments * MSS) | 0
    this.#acknowledge(this.una, una, report)
    return this
  }

  /** Goes to the deadline and expires. @returns what expired */
  expire(): number {
    this.now[0] = this.recovery.deadline
    return this.recovery.expired(this.now)
  }

  get window(): number {
    return this.congestion.window / MSS
  }

  get threshold(): number {
    return this.congestion.slowStartThreshold / MSS
  }

  get pipe(): number {
    return this.recovery.bytesInFlight / MSS
  }

  /** Milliseconds until the deadline. */
  get wait(): number {
    return (this.recovery.deadline - this.now[0]) / MS
  }

  #acknowledge(acknowledgment: number, una: number, report: Report): void {
    const segment = new Segment()
    segment.flags = ACK
    segment.acknowledgment = acknowledgment
    segment.length = report.length ?? 0
    for (const [from, to] of report.sack ?? []) {
      segment.sackLeft[segment.sackCount] = (this.first + from * MSS) | 0
      segment.sackRight[segment.sackCount++] = (this.first + to * MSS) | 0
    }
    if (report.echo !== undefined) {
      segment.hasTimestamp = true
      segment.timestampEcho = timestampAt(report.echo * MS, this.recovery.timestampOffset)
    }
    this.recovery.acknowledged(segment, una, this.next, report.windowChanged ?? false, this.now)
  }
}

/** In congestion avoidance with a window of `segments`, nothing in flight, smoothed round trip 100 ms. */
export function warm(
  segments: number,
  settings: Partial<TcpSettings> = {},
  options: { sack?: boolean; timestamps?: boolean } = {},
): Scenario {
  const scenario = new Scenario({ congestionControl: 'newreno', initialWindow: segments, ...settings }, options)
  scenario.congestion.window = segments * MSS
  return scenario
}

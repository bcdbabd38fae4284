import { createCongestionControl } from '../../../../src/tcp/congestion/create.ts'
import { EXPIRED_TIMEOUT, LossRecovery } from '../../../../src/tcp/recovery/loss-recovery.ts'
import { timestampAt } from '../../../../src/tcp/recovery/timestamp-clock.ts'
import { ACK, type Instant, instant, Segment } from '../../../../src/tcp/segment.ts'
import { DEFAULT_TCP_SETTINGS, type TcpSettings, tcpSettings } from '../../../../src/tcp/settings.ts'
import { ModelReceiver } from './receiver.ts'

export const MS = 1e6

/** What became of a data segment or an acknowledgment: when it arrives, in ns after it was sent; nothing: it is lost. */
export type Fate = (index: number, now: number) => readonly number[]

export interface TransferOptions {
  settings?: Partial<TcpSettings>
  sack?: boolean
  timestamps?: boolean
  mss?: number
  /** Bytes to transfer. */
  bytes: number
  /** Window of the receiver. */
  window?: number
  initialSequence?: number
  data: Fate
  acknowledgments: Fate
  /** Called after each step, to check invariants. */
  check?: (transfer: Transfer) => void
}

interface Event {
  at: number
  order: number
  run: () => void
}

export interface Sent {
  at: number
  sequence: number
  length: number
  retransmission: boolean
}

/** A bulk transfer over `LossRecovery` alone: a sender that always has data, a model receiver, a wire made of two fates. */
export class Transfer {
  readonly recovery: LossRecovery
  readonly receiver: ModelReceiver
  readonly now: Instant = instant()
  readonly sent: Sent[] = []
  readonly first: number
  readonly #options: Required<Omit<TransferOptions, 'settings' | 'check'>> & Pick<TransferOptions, 'check'>
  #una: number
  #next: number
  readonly #end: number
  readonly #events: Event[] = []
  #order = 0
  #dataIndex = 0
  #ackIndex = 0

  constructor(options: TransferOptions) {
    const all = { sack: true, timestamps: true, mss: 1000, window: 1 << 24, initialSequence: 1000, ...options }
    this.#options = all
    const settings = tcpSettings(options.settings ?? {}, DEFAULT_TCP_SETTINGS)
    this.recovery = new LossRecovery(settings, createCongestionControl(settings))
    this.recovery.timestampOffset = 77_777
    this.recovery.start((all.initialSequence - 1) | 0, all.mss, all.sack, all.timestamps, this.now)
    this.first = all.initialSequence | 0
    this.#una = this.first
    this.#next = this.first
    this.#end = (this.first + all.bytes) | 0
    this.receiver = new ModelReceiver(this.first, all.sack, all.timestamps ? 3 : 4)
    // The handshake took one round trip of 0: no sample to distort what is tested.
    this.recovery.sent((this.first - 1) | 0, 1, this.now, false)
    const ack = new Segment()
    ack.flags = ACK
    ack.acknowledgment = this.first
    this.recovery.acknowledged(ack, (this.first - 1) | 0, this.first, true, this.now)
  }

  get done(): boolean {
    return this.#una === this.#end
  }

  /** Runs to the end, or until `limit` ns have passed. */
  run(limit = 1e13): this {
    this.#fill()
    while (!this.done && this.now[0] < limit) {
      const event = this.#events.length > 0 ? this.#events[0] : undefined
      const { deadline } = this.recovery
      if (event !== undefined && event.at <= deadline) {
        this.#events.shift()
        this.now[0] = Math.max(this.now[0], event.at)
        event.run()
      } else {
        if (deadline === Number.POSITIVE_INFINITY) throw new Error(`nothing to wait for at ${this.now[0]} ns`)
        this.now[0] = Math.max(this.now[0], deadline)
        if (this.now[0] >= limit) break
        const found = this.recovery.expired(this.now)
        if (found === EXPIRED_TIMEOUT && this.recovery.timedOut(100)) throw new Error('gave up')
      }
      this.#fill()
      this.#options.check?.(this)
    }
    return this
  }

  #at(at: number, run: () => void): void {
    const event = { at, order: this.#order++, run }
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#events[middle]
      if (other.at < at || (other.at === at && other.order < event.order)) low = middle + 1
      else high = middle
    }
    this.#events.splice(low, 0, event)
  }

  #fill(): void {
    const { recovery } = this
    const { mss, window } = this.#options
    for (let budget = 10_000; budget > 0; budget--) {
      const room = Math.min((this.#end - this.#next) | 0, (this.#una + window - this.#next) | 0)
      const ready = room > 0 && (room >= mss || ((this.#end - this.#next) | 0) === room)
      if (recovery.nextRetransmission(this.#next, ready)) {
        this.#send(recovery.retransmitSequence, recovery.retransmitLength, true)
        continue
      }
      const length = Math.min(room, mss)
      if (!ready || recovery.allowance(this.#next) < length) return
      const sequence = this.#next
      this.#next = (this.#next + length) | 0
      this.#send(sequence, length, false)
    }
    throw new Error('sends without end')
  }

  #send(sequence: number, length: number, retransmission: boolean): void {
    this.sent.push({ at: this.now[0], sequence, length, retransmission })
    this.recovery.sent(sequence, length, this.now, retransmission)
    const stamp = this.#options.timestamps ? timestampAt(this.now[0], this.recovery.timestampOffset) : undefined
    for (const delay of this.#options.data(this.#dataIndex++, this.now[0])) {
      this.#at(this.now[0] + delay, () => {
        const ack = this.receiver.receive(sequence, (sequence + length) | 0, stamp)
        for (const back of this.#options.acknowledgments(this.#ackIndex++, this.now[0])) {
          this.#at(this.now[0] + back, () => this.#acknowledge(ack))
        }
      })
    }
  }

  #acknowledge(ack: Segment): void {
    if (((ack.acknowledgment - this.#una) | 0) < 0) return
    const una = this.#una
    this.#una = ack.acknowledgment
    this.recovery.acknowledged(ack, una, this.#next, false, this.now)
  }
}

/** Deterministic random numbers in [0, 1), xorshift32. */
export function random(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Every packet arrives after `delay`, but for a share of `loss`. */
export function lossy(delay: number, loss: number, seed: number): Fate {
  const next = random(seed)
  return () => (next() < loss ? [] : [delay])
}

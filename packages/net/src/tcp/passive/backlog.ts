/** Fewest half-open connections that a listener keeps records of before it turns to cookies. */
const LEAST_EMBRYONIC = 64

/** What became of the connections that a listener was asked for. */
export interface BacklogStatistics {
  /** Handshakes that are not complete. */
  readonly embryonic: number
  /** Complete, and not accepted yet. */
  readonly waiting: number
  readonly limit: number
  /** The most that ever waited. */
  readonly peak: number
  /** Connections that were handed to the application. */
  readonly accepted: number
  /** SYNs, and last steps of a handshake, put off because too many wait. */
  readonly overflows: number
  readonly cookiesSent: number
  readonly cookiesAccepted: number
  /** Handshakes that were never completed. */
  readonly expired: number
  /** Handshakes, and waiting connections, that the peer reset. */
  readonly reset: number
}

/**
 * A listener's two bounds and what it has seen: how many connections may wait for an accept, and how many half-open ones are
 * remembered. Says what is to be done with a SYN; the records and the connections themselves are elsewhere.
 */
export class Backlog {
  limit: number
  embryonic = 0
  waiting = 0
  peak = 0
  accepted = 0
  overflows = 0
  cookiesSent = 0
  cookiesAccepted = 0
  expired = 0
  reset = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** A connection that was complete now would have to wait, and may not: no last ACK is taken. */
  get isFull(): boolean {
    return this.waiting >= this.limit
  }

  /** No connection may wait, and as many are half-open as could: no SYN is taken either. */
  get isClosed(): boolean {
    return this.isFull && this.embryonic >= this.limit
  }

  /** Too many half-open connections for records: cookies have to do. */
  get isPressed(): boolean {
    return this.embryonic >= Math.max(LEAST_EMBRYONIC, this.limit)
  }

  /** A complete connection waits. */
  queued(): void {
    this.waiting++
    if (this.waiting > this.peak) this.peak = this.waiting
  }

  statistics(): BacklogStatistics {
    const { embryonic, waiting, limit, peak, accepted, overflows, cookiesSent, cookiesAccepted, expired, reset } = this
    return { embryonic, waiting, limit, peak, accepted, overflows, cookiesSent, cookiesAccepted, expired, reset }
  }
}

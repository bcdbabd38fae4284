/** What became of one echo request. */
export type EchoResult =
  | { readonly kind: 'reply'; readonly roundTrip: number; readonly ttl: number; readonly bytes: number }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'unreachable'; readonly type: number; readonly code: number }
  | { readonly kind: 'failed'; readonly reason: string }

/** An IPv4 address as a number, or an IPv6 address as text: something to compare. */
export type EchoDestination = number | string

interface Outstanding {
  readonly destination: EchoDestination
  readonly sent: number
  readonly deadline: number
  readonly settle: (result: EchoResult) => void
}

/** Echo requests that wait for their replies, by sequence number. All of one stack share an identifier. */
export class EchoRequests {
  readonly identifier: number
  readonly #outstanding = new Map<number, Outstanding>()
  #sequence = 0

  constructor(identifier: number) {
    this.identifier = identifier
  }

  get size(): number {
    return this.#outstanding.size
  }

  /** Notes a request that is about to be sent; returns its sequence number, or -1 when all 65,536 are out. */
  begin(destination: EchoDestination, now: number, timeout: number, settle: (result: EchoResult) => void): number {
    if (this.#outstanding.size === 0x1_0000) return -1
    while (this.#outstanding.has(this.#sequence)) this.#sequence = (this.#sequence + 1) & 0xffff
    const sequence = this.#sequence
    this.#sequence = (sequence + 1) & 0xffff
    this.#outstanding.set(sequence, { destination, sent: now, deadline: now + timeout, settle })
    return sequence
  }

  /** Ends a request with `result`; false when it is unknown, or the answer is about another host. */
  end(sequence: number, destination: EchoDestination, result: (sent: number) => EchoResult): boolean {
    const request = this.#outstanding.get(sequence)
    if (request === undefined || request.destination !== destination) return false
    this.#outstanding.delete(sequence)
    request.settle(result(request.sent))
    return true
  }

  poll(now: number): void {
    for (const [sequence, request] of this.#outstanding) {
      if (request.deadline > now) continue
      this.#outstanding.delete(sequence)
      request.settle({ kind: 'timeout' })
    }
  }

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    if (this.#outstanding.size === 0) return next
    for (const { deadline } of this.#outstanding.values()) if (deadline < next) next = deadline
    return next
  }

  /** Ends all of them. */
  clear(reason: string): void {
    for (const { settle } of this.#outstanding.values()) settle({ kind: 'failed', reason })
    this.#outstanding.clear()
  }
}

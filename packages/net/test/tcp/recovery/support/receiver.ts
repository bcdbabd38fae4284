import { ACK, Segment } from '../../../../src/tcp/segment.ts'

/** A receiver as small as it can be: keeps ranges, acknowledges at once, reports SACK and duplicates (RFC 2018, RFC 2883). */
export class ModelReceiver {
  next: number
  readonly #ranges: { left: number; right: number; touched: number }[] = []
  readonly #sack: boolean
  readonly #blocks: number
  #touch = 0
  /** TS.Recent (RFC 7323 section 4.3). */
  #recent = 0
  #lastAck: number
  received = 0
  duplicates = 0

  constructor(next: number, sack: boolean, blocks = 3) {
    this.next = next
    this.#lastAck = next
    this.#sack = sack
    this.#blocks = blocks
  }

  /** Takes bytes `[left, right)` and returns the acknowledgment for them. */
  receive(left: number, right: number, timestamp: number | undefined): Segment {
    const ack = new Segment()
    ack.flags = ACK
    let duplicate: { left: number; right: number } | undefined
    if (timestamp !== undefined) {
      if (((left - this.#lastAck) | 0) <= 0) this.#recent = timestamp
      ack.hasTimestamp = true
      ack.timestampEcho = this.#recent
    }
    const known = this.#ranges.find((range) => ((range.left - left) | 0) <= 0 && ((right - range.right) | 0) <= 0)
    if (((right - this.next) | 0) <= 0 || known !== undefined) {
      this.duplicates++
      duplicate = { left, right }
      if (known !== undefined) known.touched = ++this.#touch
    } else this.#insert(left, right)
    while (this.#ranges.length > 0 && ((this.#ranges[0].left - this.next) | 0) <= 0) {
      const first = this.#ranges.shift() as { right: number }
      if (((first.right - this.next) | 0) > 0) this.next = first.right
    }
    this.#lastAck = this.next
    ack.acknowledgment = this.next
    if (this.#sack) this.#report(ack, duplicate)
    return ack
  }

  /** Forgets what is out of order (RFC 2018 section 8 allows it). */
  renege(): void {
    this.#ranges.length = 0
  }

  #insert(left: number, right: number): void {
    this.received += right - left
    const merged = { left, right, touched: ++this.#touch }
    for (let i = this.#ranges.length - 1; i >= 0; i--) {
      const range = this.#ranges[i]
      if (((range.left - merged.right) | 0) > 0 || ((merged.left - range.right) | 0) > 0) continue
      if (((range.left - merged.left) | 0) < 0) merged.left = range.left
      if (((range.right - merged.right) | 0) > 0) merged.right = range.right
      this.#ranges.splice(i, 1)
    }
    this.#ranges.push(merged)
    this.#ranges.sort((a, b) => (a.left - b.left) | 0)
  }

  #report(ack: Segment, duplicate: { left: number; right: number } | undefined): void {
    const blocks: { left: number; right: number }[] = duplicate === undefined ? [] : [duplicate]
    blocks.push(...[...this.#ranges].sort((a, b) => b.touched - a.touched))
    ack.sackCount = Math.min(blocks.length, this.#blocks)
    for (let i = 0; i < ack.sackCount; i++) {
      ack.sackLeft[i] = blocks[i].left
      ack.sackRight[i] = blocks[i].right
    }
  }
}

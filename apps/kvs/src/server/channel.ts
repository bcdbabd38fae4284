import type { WakeSource } from '@parakernel/hal'
import type { Pollable } from '@parakernel/kernel'

/** The sending end of a ring between two partitions, as far as it is needed here: small messages in order, copied in. */
export interface RingSender {
  /** Bytes of a message at most. */
  readonly messageBytes: number
  /** Messages that `send` will take now. */
  free(): number
  /** False when the ring is full. */
  send(bytes: Uint8Array, at: number, length: number): boolean
  /** Makes what was sent visible, and wakes the other side. */
  publish(): void
}

/** The receiving end. */
export interface RingReceiver {
  readonly messageBytes: number
  /** Copies the next message to the start of `into` and returns its length; 0 when there is none. */
  receive(into: Uint8Array): number
  /** True when there is a message. */
  pending(): boolean
}

type MessageHandler = (from: number, message: Uint8Array, length: number, now: number) => void

/** Kind, length of the whole message, offset of this piece, reserved: four u32 before each piece. */
const PIECE_HEADER = 16
/** Longest message: a reply of 8 MiB and its request. */
const LONGEST = (8 << 20) + 4096
/** Messages that one poll takes from each ring: the loop has other things to do. */
const POLL_LIMIT = 32

/**
 * Messages of any length between the partitions of a machine, over their rings: long ones travel in pieces. A message is
 * sent whole or not at all.
 */
export class Channel implements Pollable {
  readonly wake: WakeSource
  readonly #incoming: readonly (RingReceiver | undefined)[]
  readonly #outgoing: readonly (RingSender | undefined)[]
  readonly #handlers = new Map<number, MessageHandler>()
  readonly #piece: Uint8Array
  readonly #pieceView: DataView
  /** Message that arrives in pieces, by partner. */
  readonly #partial: Uint8Array[]

  constructor(
    incoming: readonly (RingReceiver | undefined)[],
    outgoing: readonly (RingSender | undefined)[],
    wake: WakeSource = { kind: 'none' },
  ) {
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.wake = wake
    const largest = Math.max(PIECE_HEADER, ...[...incoming, ...outgoing].map((ring) => ring?.messageBytes ?? 0))
    this.#piece = new Uint8Array(largest)
    this.#pieceView = new DataView(this.#piece.buffer)
    this.#partial = incoming.map(() => new Uint8Array(4096))
  }

  /** Messages of `kind` go to `handler`; the bytes are valid during the call. */
  on(kind: number, handler: MessageHandler): void {
    this.#handlers.set(kind, handler)
  }

  /** False when the ring to `to` has no room for all of it, or when there is no such ring. */
  send(to: number, kind: number, message: Uint8Array, length: number): boolean {
    const ring = this.#outgoing[to]
    if (ring === undefined || length > LONGEST) return false
    const room = ring.messageBytes - PIECE_HEADER
    if (ring.free() < Math.max(1, Math.ceil(length / room))) return false
    for (let offset = 0; offset === 0 || offset < length; offset += room) {
      const part = Math.min(room, length - offset)
      this.#pieceView.setUint32(0, kind, true)
      this.#pieceView.setUint32(4, length, true)
      this.#pieceView.setUint32(8, offset, true)
      this.#pieceView.setUint32(12, 0, true)
      this.#piece.set(message.subarray(offset, offset + part), PIECE_HEADER)
      ring.send(this.#piece, 0, PIECE_HEADER + part)
    }
    ring.publish()
    return true
  }

  poll(now: number): number {
    let work = 0
    for (let from = 0; from < this.#incoming.length; from++) {
      const ring = this.#incoming[from]
      if (ring === undefined) continue
      for (let i = 0; i < POLL_LIMIT; i++) {
        const length = ring.receive(this.#piece)
        if (length === 0) break
        work++
        this.#take(from, length, now)
      }
    }
    return work
  }

  arm(): boolean {
    for (const ring of this.#incoming) if (ring?.pending() === true) return true
    return false
  }

  #take(from: number, length: number, now: number): void {
    const kind = this.#pieceView.getUint32(0, true)
    const total = this.#pieceView.getUint32(4, true)
    const offset = this.#pieceView.getUint32(8, true)
    const part = length - PIECE_HEADER
    if (this.#partial[from].length < total) {
      const larger = new Uint8Array(total * 2)
      larger.set(this.#partial[from].subarray(0, offset))
      this.#partial[from] = larger
    }
    this.#partial[from].set(this.#piece.subarray(PIECE_HEADER, length), offset)
    if (offset + part >= total) this.#handlers.get(kind)?.(from, this.#partial[from], total, now)
  }
}

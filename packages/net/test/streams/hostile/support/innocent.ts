import {
  type QueueDescriptor,
  STREAM_DATA,
  STREAM_ECHO,
  STREAM_OPENED,
  STREAM_RELEASE,
  STREAM_WRITABLE,
} from '@parakernel/queue'
import type { NetLibOS } from '../../../../src/index.ts'

const CHUNK = 8192

/** Echoes everything, without copying. */
export function echo(libos: NetLibOS, qd: QueueDescriptor): void {
  libos.serveStreams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++)
      burst.verdict[i] = burst.event[i] === STREAM_DATA ? STREAM_ECHO : STREAM_RELEASE
  })
}

/** A connection that wishes nobody ill: sends a chunk, waits until all of it has come back as it was, and sends the next. */
export class Innocent {
  readonly qd: QueueDescriptor
  /** Chunks that came back whole. */
  rounds = 0
  /** Bytes that came back wrong. */
  wrong = 0
  events = 0
  /** Sends no further chunk: what is under way comes back. */
  isResting = false
  readonly #libos: NetLibOS
  #sent = 0
  #received = 0

  constructor(libos: NetLibOS, qd: QueueDescriptor) {
    this.#libos = libos
    this.qd = qd
    libos.serveStreams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        this.events |= burst.event[i]
        if (burst.event[i] === STREAM_DATA) this.#check(burst.address[i], burst.length[i])
        if ((burst.event[i] & (STREAM_DATA | STREAM_WRITABLE | STREAM_OPENED)) !== 0) this.#fill()
      }
    })
    this.#fill()
  }

  goOn(): void {
    this.isResting = false
    this.#fill()
  }

  #check(address: number, length: number): void {
    const { bytes } = this.#libos.pool
    for (let i = 0; i < length; i++) if (bytes[address + i] !== byteAt(this.#received + i)) this.wrong++
    this.#received += length
    this.rounds = Math.floor(this.#received / CHUNK)
  }

  #fill(): void {
    const { pool } = this.#libos
    if (this.isResting && this.#sent === this.rounds * CHUNK) return
    while (this.#sent < (this.rounds + 1) * CHUNK) {
      const frame = pool.allocate()
      if (frame < 0) return
      const address = pool.address(frame) + pool.headroom
      const length = Math.min(1024, (this.rounds + 1) * CHUNK - this.#sent)
      for (let i = 0; i < length; i++) pool.bytes[address + i] = byteAt(this.#sent + i)
      if (!this.#libos.sendStream(this.qd, frame, address, length)) {
        pool.release(frame)
        return
      }
      this.#sent += length
    }
  }
}

function byteAt(place: number): number {
  return Math.imul(place, 0x9e3779b1) >>> 24
}

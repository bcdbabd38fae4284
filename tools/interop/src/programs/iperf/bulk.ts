import {
  type NetworkLibOS,
  type QueueDescriptor,
  STREAM_CLOSED,
  STREAM_DATA,
  STREAM_WRITABLE,
  type StreamHandler,
} from '@parakernel/queue'
import { PATTERN } from '../pattern.ts'

/** Frames that a sender sends over and over: a send queue may hold many references to one frame. */
const FRAMES = 16

/** Sends on one connection for as long as it is let, from the same few frames: nothing is copied or allocated. */
export class BulkSender {
  bytes = 0
  readonly #libos: NetworkLibOS
  readonly #qd: QueueDescriptor
  readonly #frames: number[] = []
  readonly #length: number
  #next = 0
  #running = false
  #open = true

  constructor(libos: NetworkLibOS, qd: QueueDescriptor) {
    const { pool } = libos
    this.#libos = libos
    this.#qd = qd
    this.#length = pool.frameSize - pool.headroom - pool.window.tailroom
    for (let i = 0; i < FRAMES; i++) {
      const frame = pool.allocate()
      if (frame < 0) break
      pool.bytes.set(PATTERN.subarray(0, this.#length), pool.address(frame) + pool.headroom)
      this.#frames.push(frame)
    }
    libos.serveStreams(qd, this.#handle)
  }

  start(): void {
    this.#running = true
    this.#fill()
  }

  /** Sends no more, and gives its frames back; what was taken is still delivered. */
  stop(): void {
    this.#running = false
    for (const frame of this.#frames.splice(0)) this.#libos.pool.release(frame)
  }

  close(): void {
    this.stop()
    if (this.#open) this.#libos.close(this.#qd)
    this.#open = false
  }

  readonly #handle: StreamHandler = (burst) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] === STREAM_WRITABLE) this.#fill()
      else if (burst.event[i] === STREAM_CLOSED) {
        this.#open = false
        this.stop()
      }
    }
  }

  #fill(): void {
    const { pool } = this.#libos
    while (this.#running && this.#frames.length > 0) {
      const frame = this.#frames[this.#next]
      pool.retain(frame)
      if (!this.#libos.sendStream(this.#qd, frame, pool.address(frame) + pool.headroom, this.#length)) {
        pool.release(frame)
        return
      }
      this.bytes += this.#length
      this.#next = (this.#next + 1) % this.#frames.length
    }
  }
}

/** Counts what comes on one connection, and forgets it. */
export class BulkReceiver {
  bytes = 0
  readonly #libos: NetworkLibOS
  readonly #qd: QueueDescriptor
  #open = true

  constructor(libos: NetworkLibOS, qd: QueueDescriptor) {
    this.#libos = libos
    this.#qd = qd
    libos.serveStreams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        if (burst.event[i] === STREAM_DATA) this.bytes += burst.length[i]
        else if (burst.event[i] === STREAM_CLOSED) this.#open = false
      }
    })
  }

  start(): void {}

  stop(): void {}

  close(): void {
    if (this.#open) this.#libos.close(this.#qd)
    this.#open = false
  }
}

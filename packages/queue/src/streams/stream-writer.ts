import type { ParakernelError } from '@parakernel/hal'
import type { NetworkLibOS } from '../network-libos.ts'
import { ScatterGatherArray, type Segment } from '../scatter-gather.ts'
import type { Completion, QueueDescriptor } from '../types.ts'

/** Bytes a push: enough for a burst of segments, little beside a pool. */
const PIECE = 32_768
/** Until frames are looked for again when the pool has none, in milliseconds. */
const POOL_RETRY = 1

/** What of a libOS it takes to push. */
export type PushTarget = Pick<NetworkLibOS, 'runtime' | 'pool' | 'push'>

interface Write {
  readonly bytes: Uint8Array
  at: number
  readonly done: () => void
  readonly failed: (error: ParakernelError) => void
}

/**
 * Writes of any size as pushes, one at a time and no larger than the pool has frames for: what waits is the caller's bytes,
 * not frames. Calls back when a write has room in the send buffer to its last byte.
 */
export class StreamWriter {
  readonly #libos: PushTarget
  readonly #qd: QueueDescriptor
  readonly #errorOf: (completion: Completion) => ParakernelError
  readonly #writes: Write[] = []
  #error: ParakernelError | undefined
  #busy = false
  #whenIdle: (() => void)[] = []

  constructor(libos: PushTarget, qd: QueueDescriptor, errorOf: (completion: Completion) => ParakernelError) {
    this.#libos = libos
    this.#qd = qd
    this.#errorOf = errorOf
  }

  write(bytes: Uint8Array, done: () => void, failed: (error: ParakernelError) => void): void {
    if (this.#error !== undefined) {
      failed(this.#error)
      return
    }
    this.#writes.push({ bytes, at: 0, done, failed })
    this.#pump()
  }

  /** Calls `then` when everything was taken that was written before, or was refused. */
  whenIdle(then: () => void): void {
    if (this.#writes.length === 0) then()
    else this.#whenIdle.push(then)
  }

  /** Fails what waits, and whatever comes. */
  fail(error: ParakernelError): void {
    this.#error ??= error
    for (const { failed } of this.#writes.splice(0)) failed(this.#error)
    this.#idle()
  }

  #pump(): void {
    while (!this.#busy && this.#error === undefined && this.#writes.length > 0) {
      const write = this.#writes[0]
      const piece = this.#copy(write)
      if (piece === undefined) {
        this.#busy = true
        setTimeout(() => this.#again(), POOL_RETRY)
        return
      }
      this.#push(piece)
    }
    if (this.#writes.length === 0) this.#idle()
  }

  #push(piece: ScatterGatherArray): void {
    this.#busy = true
    let inCall = true
    try {
      this.#libos.runtime.notify(this.#libos.push(this.#qd, piece), (completion) => {
        this.#pushed(completion)
        // Not from the midst of a round: a push may not be made there.
        if (!inCall) queueMicrotask(() => this.#pump())
      })
    } catch (error) {
      // The descriptor was closed beneath us, or there is no token left.
      this.#busy = false
      this.fail(error as ParakernelError)
    } finally {
      piece.free()
    }
    inCall = false
  }

  #pushed(completion: Completion): void {
    this.#busy = false
    if (completion.kind !== 'push') {
      const error = this.#errorOf(completion)
      queueMicrotask(() => this.fail(error))
      this.#error = error
      return
    }
    const write = this.#writes[0]
    if (write === undefined) return
    write.at += completion.bytes
    if (write.at < write.bytes.byteLength) return
    this.#writes.shift()
    write.done()
  }

  #again(): void {
    this.#busy = false
    this.#pump()
  }

  #idle(): void {
    for (const then of this.#whenIdle.splice(0)) then()
  }

  /** The next piece of a write, in as many frames as there are; undefined when there is none. */
  #copy({ bytes, at }: Write): ScatterGatherArray | undefined {
    const { pool } = this.#libos
    const room = pool.frameSize - pool.headroom - pool.window.tailroom
    const end = Math.min(bytes.byteLength, at + PIECE)
    const segments: Segment[] = []
    for (let from = at; from < end; from += room) {
      const frame = pool.allocate()
      if (frame < 0) break
      const address = pool.address(frame) + pool.headroom
      const length = Math.min(room, end - from)
      pool.copyIn(address, bytes, from, length)
      segments.push({ frame, address, length })
    }
    return segments.length === 0 && at < end ? undefined : new ScatterGatherArray(pool, segments)
  }
}

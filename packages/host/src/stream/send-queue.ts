import type { Socket } from 'node:net'
import { type QueueRuntime, type QueueToken, type ScatterGatherArray, shareSga } from '@parakernel/queue'

interface Push {
  readonly token: QueueToken
  /** Shares the caller's frames until the last byte was handed to Node. */
  readonly sga: ScatterGatherArray
  readonly length: number
  sent: number
}

/**
 * Pushes on their way to Node. `limit` bytes may be with Node and not yet with the kernel; a push completes when its last
 * byte is among them, the others wait in their frames.
 */
export class SendQueue {
  limit: number
  /** Called whenever the kernel took something. */
  onProgress: () => void = () => {}
  readonly #runtime: QueueRuntime
  readonly #socket: Socket
  readonly #pushes: Push[] = []
  /** Bytes with Node. */
  #unwritten = 0

  constructor(runtime: QueueRuntime, socket: Socket, limit: number) {
    this.#runtime = runtime
    this.#socket = socket
    this.limit = limit
  }

  /** Bytes that were pushed and that the kernel does not have. */
  get bytes(): number {
    let sum = this.#unwritten
    for (const { length, sent } of this.#pushes) sum += length - sent
    return sum
  }

  /** Whether every push was handed to Node. */
  get idle(): boolean {
    return this.#pushes.length === 0
  }

  get hasRoom(): boolean {
    return this.#pushes.length === 0 && this.#unwritten < this.limit
  }

  push(token: QueueToken, sga: ScatterGatherArray): void {
    this.#pushes.push({ token, sga: shareSga(sga), length: sga.byteLength, sent: 0 })
    this.#pump()
  }

  /** Writes a copy past the pushes, for handlers; `hasRoom` must hold. */
  write(bytes: Uint8Array): void {
    this.#unwritten += bytes.byteLength
    this.#socket.write(bytes, () => this.#written(bytes.byteLength))
  }

  /** Forgets a push that waits; of one that was begun, the bytes that Node has go out. */
  cancel(token: QueueToken): void {
    const at = this.#pushes.findIndex((push) => push.token === token)
    if (at < 0) return
    for (const { sga } of this.#pushes.splice(at, 1)) sga.free()
    this.onProgress()
  }

  /** Forgets all that wait and returns their tokens. */
  clear(): QueueToken[] {
    return this.#pushes.splice(0).map(({ token, sga }) => {
      sga.free()
      return token
    })
  }

  #pump(): void {
    while (this.#pushes.length > 0) {
      const push = this.#pushes[0]
      const length = Math.min(push.length - push.sent, this.limit - this.#unwritten)
      if (length <= 0 && push.sent < push.length) return
      if (length > 0) this.write(copyOf(push.sga, push.sent, length))
      push.sent += length
      if (push.sent < push.length) return
      this.#pushes.shift()
      push.sga.free()
      this.#runtime.completePush(push.token, push.length)
    }
  }

  #written(length: number): void {
    this.#unwritten -= length
    if (this.#socket.destroyed) return
    this.#pump()
    this.onProgress()
  }
}

function copyOf({ pool, segments }: ScatterGatherArray, from: number, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let skip = from
  let at = 0
  for (const segment of segments) {
    const here = Math.min(segment.length - skip, length - at)
    if (here > 0) {
      const start = segment.address + skip
      out.set(pool.bytes.subarray(start, start + here), at)
      at += here
    }
    skip = Math.max(0, skip - segment.length)
    if (at === length) break
  }
  return out
}

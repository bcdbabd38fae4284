import { type ErrorCode, NetBurst, type NetQueue, REFUSED } from '@parakernel/hal'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { ScatterGatherArray, Segment } from '../scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from '../types.ts'
import { Fifo } from './fifo.ts'

interface Push {
  readonly token: QueueToken
  readonly segments: readonly Segment[]
  readonly bytes: number
}

/**
 * Pushes of whole frames to a device queue, in order. One completes when the device has taken it; the device reads the frames until they
 * are sent, with references of its own.
 */
export class PacketSender {
  readonly #runtime: QueueRuntime
  readonly #device: NetQueue
  readonly #qd: QueueDescriptor
  readonly #burst: NetBurst
  /** Hold references to their frames. */
  readonly #pushes = new Fifo<Push>()

  constructor(runtime: QueueRuntime, device: NetQueue, qd: QueueDescriptor) {
    this.#runtime = runtime
    this.#device = device
    this.#qd = qd
    const { columns, maxChain } = device.capabilities
    this.#burst = new NetBurst(Math.max(1, maxChain), columns)
  }

  /** Pushes that the device has no room for yet. */
  get waiting(): number {
    return this.#pushes.size
  }

  push(sga: ScatterGatherArray): QueueToken {
    const token = this.#runtime.issue(this.#qd)
    const refusal = this.#refusal(sga)
    if (refusal !== undefined) {
      this.#runtime.fail(token, ...refusal)
      return token
    }
    const segments = this.#fits(sga.segments) ? sga.segments : this.#copied(sga)
    if (segments === undefined) {
      this.#runtime.fail(token, 'ENOBUFS', 'no frame is free for a packet that must be copied into one')
      return token
    }
    if (segments === sga.segments) for (const { frame } of segments) this.#device.pool.retain(frame)
    this.#pushes.push({ token, segments, bytes: sga.byteLength })
    this.flush()
    return token
  }

  /** Hands on what there is room for; returns how many. */
  flush(): number {
    let sent = 0
    for (let push = this.#pushes.shift(); push !== undefined; push = this.#pushes.shift()) {
      if (!this.#transmit(push)) {
        this.#pushes.unshift(push)
        break
      }
      sent++
    }
    return sent
  }

  cancel(token: QueueToken): void {
    for (const push of this.#pushes.drain()) {
      if (push.token === token) this.#release(push)
      else this.#pushes.push(push)
    }
  }

  fail(code: ErrorCode, message: string): void {
    for (const push of this.#pushes.drain()) {
      this.#release(push)
      this.#runtime.fail(push.token, code, message)
    }
  }

  /** The queue is closed, which fails the tokens. */
  close(): void {
    for (const push of this.#pushes.drain()) this.#release(push)
  }

  #refusal(sga: ScatterGatherArray): [ErrorCode, string] | undefined {
    const { pool, capabilities } = this.#device
    const wrong = sga.refusalBy(pool)
    if (wrong !== undefined) return ['EINVAL', wrong]
    const bytes = sga.byteLength
    if (bytes === 0) return ['EINVAL', 'a packet of no bytes']
    if (bytes <= capabilities.maxPacket) return undefined
    return ['EMSGSIZE', `${bytes} bytes, the device sends ${capabilities.maxPacket}`]
  }

  /** Whether the device can send the segments from where they lie. */
  #fits(segments: readonly Segment[]): boolean {
    const { maxChain, transmitAlignment } = this.#device.capabilities
    return segments.length <= maxChain && segments.every(({ address }) => address % transmitAlignment === 0)
  }

  /** The packet in one frame, which is ours. */
  #copied(sga: ScatterGatherArray): readonly Segment[] | undefined {
    const { pool, capabilities } = this.#device
    const room = pool.frameSize - pool.headroom - pool.window.tailroom
    const frame = sga.byteLength > room ? -1 : pool.allocate()
    if (frame < 0) return undefined
    const align = capabilities.transmitAlignment
    const address = Math.ceil((pool.address(frame) + pool.headroom) / align) * align
    let at = address
    for (const segment of sga.segments) {
      pool.copy(at, segment.address, segment.length)
      at += segment.length
    }
    return [{ frame, address, length: at - address }]
  }

  /** False when the device has no room. */
  #transmit(push: Push): boolean {
    const { pool } = this.#device
    const burst = this.#burst
    burst.count = 0
    for (const { frame, address, length } of push.segments) burst.push(frame, address - pool.address(frame), length)
    for (let i = 0; i < burst.count - 1; i++) burst.flags[i] = 0
    if (this.#device.transmit(burst) === 0) return false
    if ((burst.flags[0] & REFUSED) === 0) this.#runtime.completePush(push.token, push.bytes)
    else {
      this.#release(push)
      this.#runtime.fail(push.token, 'EINVAL', 'the device refused the packet')
    }
    return true
  }

  #release({ segments }: Push): void {
    for (const { frame } of segments) this.#device.pool.release(frame)
  }
}

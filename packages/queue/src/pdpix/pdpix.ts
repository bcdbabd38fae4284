import { type FramePool, ParakernelError } from '@parakernel/hal'
import { type Key, type Predicate, QueueAlgebra, type QueueLike, type Stage, type Transform } from '../algebra/index.ts'
import type { NetworkLibOS, SocketOptions } from '../network-libos.ts'
import type { PushPop } from '../push-pop.ts'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import { allocateSga } from '../scatter-gather-helpers.ts'
import type { OpenOptions, StorageLibOS } from '../storage-libos.ts'
import type { Completion, QueueDescriptor, QueueToken, SocketAddress } from '../types.ts'
import { waitOrCancel } from './blocking.ts'

export interface PdpixParts {
  readonly runtime: QueueRuntime
  /** Of `sgaAlloc` and of memory queues: the pool of the libOSes. */
  readonly pool: FramePool
  /** Makes the sockets of `socket`. Descriptors of any other libOS on the same runtime work as well. */
  readonly network?: NetworkLibOS
  /** Opens the files of `open` and `creat`. */
  readonly storage?: StorageLibOS
  /** Default: one of its own. */
  readonly algebra?: QueueAlgebra
}

/**
 * Demikernel's whole interface in one object, over every libOS of the thread: sockets, files and queues of queues on one table of
 * descriptors and tokens. Each call goes to the libOS that the descriptor belongs to; the libOSes can be called directly as well.
 *
 * Control calls throw, data calls return tokens and throw for misuse alone (EBADF, ENOBUFS): what a device or a peer does ends as
 * `failed`.
 */
export class Pdpix {
  readonly runtime: QueueRuntime
  readonly pool: FramePool
  readonly algebra: QueueAlgebra
  readonly network: NetworkLibOS | undefined
  readonly storage: StorageLibOS | undefined

  constructor({ runtime, pool, network, storage, algebra }: PdpixParts) {
    for (const libos of [network, storage]) {
      if (libos === undefined || libos.runtime === runtime) continue
      throw new ParakernelError('EINVAL', 'is on another runtime, so that no wait would span it', {
        subject: `libOS ${libos.name}`,
        remedy: 'Create the libOSes of a thread with one runtime',
      })
    }
    this.runtime = runtime
    this.pool = pool
    this.network = network
    this.storage = storage
    this.algebra = algebra ?? new QueueAlgebra(runtime, pool)
  }

  // Sockets.

  /** @throws ENOTSUP without a network libOS, and as `NetworkLibOS.socket` */
  socket(type: 'datagram' | 'stream', family?: 'ipv4' | 'ipv6'): QueueDescriptor {
    if (this.network === undefined) throw noLibos('network', 'socket')
    return this.network.socket(type, family)
  }

  bind(qd: QueueDescriptor, address: SocketAddress): void {
    this.#socket(qd).bind(qd, address)
  }

  listen(qd: QueueDescriptor, backlog?: number): void {
    this.#socket(qd).listen(qd, backlog)
  }

  accept(qd: QueueDescriptor): QueueToken {
    return this.#socket(qd).accept(qd)
  }

  connect(qd: QueueDescriptor, peer: SocketAddress): QueueToken {
    return this.#socket(qd).connect(qd, peer)
  }

  getsockname(qd: QueueDescriptor): SocketAddress {
    return this.#socket(qd).getsockname(qd)
  }

  getpeername(qd: QueueDescriptor): SocketAddress {
    return this.#socket(qd).getpeername(qd)
  }

  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void {
    this.#socket(qd).setsockopt(qd, option, value)
  }

  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K] {
    return this.#socket(qd).getsockopt(qd, option)
  }

  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    return this.#socket(qd).pushTo(qd, sga, peer)
  }

  // Files.

  /** @throws ENOTSUP without a storage libOS, and as `StorageLibOS.open` */
  open(path: string, options?: OpenOptions): QueueDescriptor {
    if (this.storage === undefined) throw noLibos('storage', 'open')
    return this.storage.open(path, options)
  }

  creat(path: string): QueueDescriptor {
    if (this.storage === undefined) throw noLibos('storage', 'creat')
    return this.storage.creat(path)
  }

  seek(qd: QueueDescriptor, offset: number, from?: 'start' | 'cursor' | 'end'): number {
    return this.#file(qd).seek(qd, offset, from)
  }

  truncate(qd: QueueDescriptor, length: number): QueueToken {
    return this.#file(qd).truncate(qd, length)
  }

  // Queues of queues.

  queue(capacity?: number): QueueDescriptor {
    return this.algebra.queue(capacity)
  }

  merge(...queues: readonly QueueLike[]): QueueDescriptor {
    return this.algebra.merge(...queues)
  }

  filter(queue: QueueLike, predicate: Predicate): QueueDescriptor {
    return this.algebra.filter(queue, predicate)
  }

  map(queue: QueueLike, transform: Transform): QueueDescriptor {
    return this.algebra.map(queue, transform)
  }

  sort(queue: QueueLike, key: Key, capacity?: number): QueueDescriptor {
    return this.algebra.sort(queue, key, capacity)
  }

  qconnect(from: QueueLike, to: QueueLike): QueueDescriptor {
    return this.algebra.qconnect(from, to)
  }

  explain(queue: QueueLike): readonly Stage[] {
    return this.algebra.explain(queue)
  }

  // Every queue.

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    return this.#of(qd).push(qd, sga)
  }

  /** While queues stand above a socket or a file, a pop of it takes what they leave, whole (`limit` does not count). */
  pop(qd: QueueDescriptor, limit?: number): QueueToken {
    if (this.algebra.has(qd)) return this.algebra.pop(qd)
    return this.#of(qd).pop(qd, limit)
  }

  /** Ends whatever stands above, too. */
  close(qd: QueueDescriptor): void {
    this.#of(qd).close(qd)
  }

  /** Of a socket or a file as its libOS does it; a queue of the algebra is closed at once, and the token has completed. */
  asyncClose(qd: QueueDescriptor): QueueToken {
    return this.#of(qd).asyncClose(qd)
  }

  /** Pushes, and waits for the completion; gives the push up when that throws. @throws as `push` and `wait` */
  blockingPush(qd: QueueDescriptor, sga: ScatterGatherArray, timeout?: number): Completion {
    return waitOrCancel(this.runtime, this.push(qd, sga), timeout)
  }

  /** Pops, and waits for the completion; gives the pop up when that throws. @throws as `pop` and `wait` */
  blockingPop(qd: QueueDescriptor, timeout?: number): Completion {
    return waitOrCancel(this.runtime, this.pop(qd), timeout)
  }

  // Tokens.

  wait(token: QueueToken, timeout?: number): Completion {
    return this.runtime.wait(token, timeout)
  }

  waitAny(
    tokens: readonly QueueToken[],
    timeout?: number,
  ): { readonly index: number; readonly completion: Completion } {
    return this.runtime.waitAny(tokens, timeout)
  }

  waitAll(tokens: readonly QueueToken[], timeout?: number): Completion[] {
    return this.runtime.waitAll(tokens, timeout)
  }

  waitNext(timeout?: number): Completion | undefined {
    return this.runtime.waitNext(timeout)
  }

  completion(token: QueueToken): Promise<Completion> {
    return this.runtime.completion(token)
  }

  cancel(token: QueueToken): boolean {
    return this.runtime.cancel(token)
  }

  // Arrays.

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  sgaFree(sga: ScatterGatherArray): void {
    sga.free()
  }

  #of(qd: QueueDescriptor): PushPop {
    const libos = this.runtime.libosOf(qd)
    if (libos === undefined)
      throw new ParakernelError('EBADF', 'is no open queue of a libOS', { subject: `queue ${qd}` })
    return libos
  }

  #socket(qd: QueueDescriptor): NetworkLibOS {
    const libos = this.#of(qd)
    if ('getsockname' in libos) return libos as NetworkLibOS
    throw new ParakernelError('ENOTSUP', `is of libOS ${libos.name}, and no socket`, { subject: `queue ${qd}` })
  }

  #file(qd: QueueDescriptor): StorageLibOS {
    const libos = this.#of(qd)
    if ('seek' in libos) return libos as StorageLibOS
    throw new ParakernelError('ENOTSUP', `is of libOS ${libos.name}, and no file`, { subject: `queue ${qd}` })
  }
}

function noLibos(kind: 'network' | 'storage', call: string): ParakernelError {
  return new ParakernelError('ENOTSUP', `there is no ${kind} libOS`, {
    subject: call,
    remedy: `Give Pdpix a ${kind} libOS`,
  })
}

import { networkInterfaces } from 'node:os'
import { type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  allocateSga,
  type DatagramBurst,
  type DatagramHandler,
  type LibOSContext,
  type NetworkLibOS,
  parseIpv4,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  type ScatterGatherArray,
  type SocketAddress,
  type SocketOptions,
} from '@parakernel/queue'
import { DatagramSocket, type SocketContext } from './datagram/datagram-socket.ts'
import { DEFAULT_RECEIVE_QUEUE, type HostOptions } from './options.ts'
import { HostCounters } from './statistics.ts'

/**
 * The network libOS over the host's own sockets. Datagrams are copied into frames of the pool and out of them. Everything
 * moves in Node's loop; a synchronous wait, which would hold that loop up, is refused with ENOTSUP.
 */
export class HostLibOS implements NetworkLibOS {
  readonly name = 'host'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  readonly addresses: readonly string[]
  readonly #counters = new HostCounters()
  readonly #context: SocketContext
  readonly #sockets = new Map<QueueDescriptor, DatagramSocket>()
  readonly #leaveLoop: () => void

  constructor(options: HostOptions, context: LibOSContext) {
    const { runtime, loop, pool } = context
    const address = options.address?.split('/')[0]
    if (address !== undefined) parseIpv4(address)
    this.runtime = runtime
    this.loop = loop
    this.#leaveLoop = loop.dependOnNode()
    this.pool = pool
    this.addresses = address === undefined ? hostAddresses() : [address]
    this.#context = {
      runtime,
      pool,
      counters: this.#counters,
      address,
      receiveQueue: options.receiveQueue ?? DEFAULT_RECEIVE_QUEUE,
    }
  }

  socket(type: 'datagram' | 'stream', family: 'ipv4' | 'ipv6' = 'ipv4'): QueueDescriptor {
    const subject = `host ${type} socket`
    if (type !== 'datagram') throw new ParakernelError('EPROTONOSUPPORT', 'only datagrams are served', { subject })
    if (family !== 'ipv4') throw new ParakernelError('EAFNOSUPPORT', 'only IPv4 is served', { subject })
    const socket = new DatagramSocket(this.#context)
    this.#sockets.set(socket.qd, socket)
    return socket.qd
  }

  bind(qd: QueueDescriptor, address: SocketAddress): void {
    this.#of(qd).bind(address)
  }

  connect(qd: QueueDescriptor, peer: SocketAddress): QueueToken {
    return this.#of(qd).connect(peer)
  }

  close(qd: QueueDescriptor): void {
    this.#of(qd).close()
    this.#sockets.delete(qd)
    this.runtime.close(qd)
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const socket = this.#of(qd)
    const token = this.runtime.issue(qd)
    this.#sockets.delete(qd)
    socket.drain(() => {
      socket.close()
      if (!this.runtime.isPending(token)) return
      this.runtime.completeClose(token)
      this.runtime.close(qd)
    })
    return token
  }

  getsockname(qd: QueueDescriptor): SocketAddress {
    return this.#of(qd).name
  }

  getpeername(qd: QueueDescriptor): SocketAddress {
    return this.#of(qd).peer
  }

  setsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K, value: SocketOptions[K]): void {
    this.#of(qd).setOption(option, value)
  }

  getsockopt<K extends keyof SocketOptions>(qd: QueueDescriptor, option: K): SocketOptions[K] {
    return this.#of(qd).getOption(option)
  }

  joinGroup(qd: QueueDescriptor, group: string): void {
    this.#of(qd).joinGroup(group)
  }

  leaveGroup(qd: QueueDescriptor, group: string): void {
    this.#of(qd).leaveGroup(group)
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    return this.#of(qd).push(sga, undefined)
  }

  pushTo(qd: QueueDescriptor, sga: ScatterGatherArray, peer: SocketAddress): QueueToken {
    return this.#of(qd).push(sga, peer)
  }

  pop(qd: QueueDescriptor): QueueToken {
    return this.#of(qd).pop()
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  serveDatagrams(qd: QueueDescriptor, handler: DatagramHandler | undefined): void {
    this.#of(qd).serve(handler)
  }

  sendDatagrams(qd: QueueDescriptor, burst: DatagramBurst): number {
    return this.#of(qd).sendBurst(burst)
  }

  statistics(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#counters.byGroup()
  }

  async shutdown(): Promise<void> {
    for (const qd of [...this.#sockets.keys()]) this.close(qd)
    this.#leaveLoop()
  }

  #of(qd: QueueDescriptor): DatagramSocket {
    const socket = this.#sockets.get(qd)
    if (socket === undefined) throw new ParakernelError('EBADF', 'is not open', { subject: `host socket ${qd}` })
    return socket
  }
}

function hostAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return all.filter(({ family }) => family === 'IPv4').map(({ address }) => address)
}

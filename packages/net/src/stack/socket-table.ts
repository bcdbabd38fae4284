import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import { checkPort, formatIpv4, type QueueDescriptor } from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import type { Ipv4Address } from '../ipv4/address.ts'
import { UdpSocket } from '../udp/socket.ts'
import type { ProtocolStack } from './protocol-stack.ts'

/** The sockets of a stack: by descriptor for the application, by slot and by port for the packets. */
export class SocketTable {
  readonly #config: NetConfig
  readonly #stack: ProtocolStack
  readonly #byDescriptor = new Map<QueueDescriptor, UdpSocket>()
  readonly #freeSlots: number[] = []

  constructor(config: NetConfig, stack: ProtocolStack) {
    this.#config = config
    this.#stack = stack
  }

  get descriptors(): readonly QueueDescriptor[] {
    return [...this.#byDescriptor.keys()]
  }

  /** Makes a socket for the descriptor that `open` gives. @throws EMFILE when the table is full, and what `open` throws */
  create(open: () => QueueDescriptor): QueueDescriptor {
    const { sockets } = this.#stack
    const { sockets: limit, receiveQueue } = this.#config
    const slot = this.#freeSlots.at(-1) ?? sockets.length
    if (slot >= limit) {
      throw new ParakernelError('EMFILE', `all ${limit} sockets are in use`, {
        subject: `libOS net ${formatIpv4(this.#stack.interface.address)}`,
        remedy: 'Close some, or raise `sockets`',
      })
    }
    const qd = open()
    this.#freeSlots.pop()
    const socket = new UdpSocket(qd, slot, receiveQueue)
    sockets[slot] = socket
    this.#byDescriptor.set(qd, socket)
    return qd
  }

  find(qd: QueueDescriptor): UdpSocket | undefined {
    return this.#byDescriptor.get(qd)
  }

  /** @throws EBADF */
  get(qd: QueueDescriptor): UdpSocket {
    const socket = this.#byDescriptor.get(qd)
    if (socket === undefined) throw socketError(qd, 'EBADF', 'is not an open socket of this libOS')
    return socket
  }

  /** Port 0 is an ephemeral one. @throws EINVAL, EADDRINUSE, EADDRNOTAVAIL */
  bind(socket: UdpSocket, address: Ipv4Address, port: number): void {
    const { qd } = socket
    const own = this.#stack.interface.address
    if (socket.localPort !== 0) throw socketError(qd, 'EINVAL', `is bound to port ${socket.localPort} already`)
    if (address !== 0 && address !== own) {
      const remedy = `Bind to ${formatIpv4(own)} or 0.0.0.0`
      throw socketError(qd, 'EADDRNOTAVAIL', `${formatIpv4(address)} is not an address of ours`, remedy)
    }
    checkPort(port)
    if (port !== 0 && !this.#stack.ports.isFree(port)) {
      const remedy = 'Choose another port, or 0 for any'
      throw socketError(qd, 'EADDRINUSE', `another socket is bound to port ${port}`, remedy)
    }
    const chosen = port === 0 ? this.#stack.ports.ephemeral() : port
    if (chosen < 0) throw socketError(qd, 'EADDRINUSE', 'all ephemeral ports are taken', 'Close some sockets')
    this.#occupy(socket, address, chosen)
  }

  /** Sees to it that a socket that sends has a port; false when no ephemeral one is free. */
  ensureBound(socket: UdpSocket): boolean {
    if (socket.localPort !== 0) return true
    const port = this.#stack.ports.ephemeral()
    if (port < 0) return false
    this.#occupy(socket, 0, port)
    return true
  }

  /** Why a socket may not send to an address, if it may not. */
  refusesPeer(socket: UdpSocket, to: Ipv4Address): ErrorCode | undefined {
    if (to === 0) return 'EINVAL'
    if (this.#stack.output.isBroadcast(to) && !socket.options.broadcast) return 'EACCES'
    return undefined
  }

  /** Forgets a socket, and gives back what it holds: frames, groups, its port. */
  remove(socket: UdpSocket, now: number): void {
    const { ports, siblings, sockets, membership } = this.#stack
    for (const group of socket.groups) membership.leave(group, now)
    for (let next = socket.received.shift(); next !== undefined; next = socket.received.shift()) next.sga.free()
    socket.handler = undefined
    if (socket.localPort !== 0) {
      ports.clear(socket.localPort)
      siblings?.portClosed(socket.localPort)
    }
    sockets[socket.slot] = undefined
    this.#freeSlots.push(socket.slot)
    this.#byDescriptor.delete(socket.qd)
  }

  #occupy(socket: UdpSocket, address: Ipv4Address, port: number): void {
    socket.localAddress = address
    socket.localPort = port
    this.#stack.ports.set(port, socket.slot)
    this.#stack.siblings?.portOpened(port)
  }
}

export function socketError(qd: QueueDescriptor, code: ErrorCode, message: string, remedy?: string): ParakernelError {
  return new ParakernelError(code, message, {
    subject: `udp socket ${qd}`,
    ...(remedy === undefined ? {} : { remedy }),
  })
}

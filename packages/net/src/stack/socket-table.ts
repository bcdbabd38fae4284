import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import {
  checkPort,
  formatIpv4,
  formatIpv6,
  type IpWords,
  isIpv4Mapped,
  isIpv6Multicast,
  mapIpv4,
  parseIpv4,
  parseIpv6,
  type QueueDescriptor,
} from '@parakernel/queue'
import type { NetConfig } from '../config.ts'
import { isMulticast } from '../ipv4/address.ts'
import { sameWords } from '../route/route-table.ts'
import { UdpSocket } from '../udp/socket.ts'
import type { ProtocolStack } from './protocol-stack.ts'

/** The datagram sockets of a stack: by descriptor for the application, by slot and by port for the packets. */
export class SocketTable {
  readonly #config: NetConfig
  readonly #stack: ProtocolStack
  readonly #byDescriptor = new Map<QueueDescriptor, UdpSocket>()
  readonly #freeSlots: number[] = []

  constructor(config: NetConfig, stack: ProtocolStack) {
    this.#config = config
    this.#stack = stack
  }

  get sockets(): Iterable<UdpSocket> {
    return this.#byDescriptor.values()
  }

  /** Makes a socket for the descriptor that `open` gives. @throws EMFILE when the table is full, and what `open` throws */
  create(open: () => QueueDescriptor, family: 4 | 6 = 4): QueueDescriptor {
    const { sockets } = this.#stack
    const { sockets: limit, receiveQueue } = this.#config
    const slot = this.#freeSlots.at(-1) ?? sockets.length
    if (slot >= limit) {
      throw new ParakernelError('EMFILE', `all ${limit} sockets are in use`, {
        subject: 'libOS net',
        remedy: 'Close some, or raise `sockets`',
      })
    }
    const qd = open()
    this.#freeSlots.pop()
    const socket = new UdpSocket(qd, slot, family, receiveQueue)
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
  bind(socket: UdpSocket, address: string, port: number): void {
    const { qd } = socket
    const words = parseAddress(address, socket.family)
    if (socket.localPort !== 0) throw socketError(qd, 'EINVAL', `is bound to port ${socket.localPort} already`)
    const local = isAny(words) ? undefined : words
    if (local !== undefined && !this.#stack.addresses.has(local)) {
      const own = this.#stack.addresses.entries.filter(({ family }) => family === (isIpv4Mapped(local) ? 4 : 6))
      const remedy = `Bind to ${own.map((entry) => formatAddress(entry.words, entry.family)).join(', ')} or to all`
      throw socketError(qd, 'EADDRNOTAVAIL', `${address} is not an address of ours`, remedy)
    }
    checkPort(port)
    if (port !== 0 && this.#isTaken(socket, local, port)) {
      const remedy = 'Choose another port, or 0 for any'
      throw socketError(qd, 'EADDRINUSE', `another socket is bound to port ${port}`, remedy)
    }
    const chosen = port === 0 ? this.#stack.ports.ephemeral(socket.serves) : port
    if (chosen < 0) throw socketError(qd, 'EADDRINUSE', 'all ephemeral ports are taken', 'Close some sockets')
    this.#occupy(socket, local, chosen)
  }

  /** Sees to it that a socket that sends has a port; false when no ephemeral one is free. */
  ensureBound(socket: UdpSocket): boolean {
    if (socket.localPort !== 0) return true
    const port = this.#stack.ports.ephemeral(socket.serves)
    if (port < 0) return false
    this.#occupy(socket, undefined, port)
    return true
  }

  /** Why a socket may not send to an address, if it may not. */
  refusesPeer(socket: UdpSocket, to: IpWords): ErrorCode | undefined {
    if (isAny(to)) return 'EINVAL'
    if (!isIpv4Mapped(to)) return socket.family === 6 ? undefined : 'EINVAL'
    return this.refusesIpv4(socket, to[3])
  }

  /** The same of an IPv4 address, by number. */
  refusesIpv4(socket: UdpSocket, to: number): ErrorCode | undefined {
    if (to === 0 || !socket.takes(4)) return 'EINVAL'
    if (!socket.options.broadcast && this.#stack.isBroadcast(to)) return 'EACCES'
    return undefined
  }

  /** @throws EINVAL for what is no group, EADDRINUSE when the socket is a member */
  join(socket: UdpSocket, group: string, now: number): void {
    const words = this.#parseGroup(socket, group)
    if (socket.hasJoined(words)) throw socketError(socket.qd, 'EADDRINUSE', `is a member of ${group} already`)
    socket.groups.push({ group: words, interface: this.#stack.joinGroup(words, now) })
  }

  /** @throws EINVAL for what is no group, EADDRNOTAVAIL when the socket is no member */
  leave(socket: UdpSocket, group: string, now: number): void {
    const words = this.#parseGroup(socket, group)
    const at = socket.groups.findIndex((joined) => sameWords(joined.group, words))
    if (at < 0) throw socketError(socket.qd, 'EADDRNOTAVAIL', `is no member of ${group}`)
    const [joined] = socket.groups.splice(at, 1)
    this.#stack.leaveGroup(joined, now)
  }

  /** Forgets a socket, and gives back what it holds: frames, groups, its port. */
  remove(socket: UdpSocket, now: number): void {
    for (const joined of socket.groups) this.#stack.leaveGroup(joined, now)
    for (let next = socket.received.shift(); next !== undefined; next = socket.received.shift()) next.sga.free()
    socket.handler = undefined
    if (socket.localPort !== 0) this.#vacate(socket)
    this.#stack.sockets[socket.slot] = undefined
    this.#freeSlots.push(socket.slot)
    this.#byDescriptor.delete(socket.qd)
  }

  #parseGroup(socket: UdpSocket, group: string): IpWords {
    const words = parseAddress(group, socket.family)
    if (isIpv4Mapped(words) ? isMulticast(words[3]) : isIpv6Multicast(words)) return words
    const remedy = socket.family === 4 ? 'Give an address in 224.0.0.0/4' : 'Give an address in ff00::/8'
    throw socketError(socket.qd, 'EINVAL', `${group} is not a group`, remedy)
  }

  /** Whether a socket of the port would hear some of the same datagrams. */
  #isTaken(socket: UdpSocket, local: IpWords | undefined, port: number): boolean {
    for (const family of FAMILIES) {
      if (!socket.takes(family)) continue
      for (let other = this.#stack.socketAt(family, port); other !== undefined; other = nextOf(other, family)) {
        if (local === undefined || other.local === undefined || sameWords(local, other.local)) return true
      }
    }
    return false
  }

  #occupy(socket: UdpSocket, local: IpWords | undefined, port: number): void {
    socket.bindTo(local, port)
    socket.next4 = socket.takes(4) ? this.#stack.socketAt(4, port) : undefined
    socket.next6 = socket.takes(6) ? this.#stack.socketAt(6, port) : undefined
    this.#stack.ports.set(port, socket.slot, socket.serves)
    this.#stack.siblings?.portOpened(port)
  }

  #vacate(socket: UdpSocket): void {
    const { siblings } = this.#stack
    for (const family of FAMILIES) if (socket.takes(family)) this.#unchain(socket, family)
    siblings?.portClosed(socket.localPort)
  }

  #unchain(socket: UdpSocket, family: 4 | 6): void {
    const { ports } = this.#stack
    const next = nextOf(socket, family)
    const slots = family === 4 ? ports.slots : ports.slots6
    let before = this.#stack.socketAt(family, socket.localPort)
    if (before === socket) {
      slots[socket.localPort] = next === undefined ? 0 : next.slot + 1
      return
    }
    while (before !== undefined && nextOf(before, family) !== socket) before = nextOf(before, family)
    if (before === undefined) return
    if (family === 4) before.next4 = next
    else before.next6 = next
  }
}

const FAMILIES = [4, 6] as const

/** The next socket of the same port that takes a family. */
export function nextOf(socket: UdpSocket, family: 4 | 6): UdpSocket | undefined {
  return family === 4 ? socket.next4 : socket.next6
}

/**
 * The address that a text names to a socket of a family; one of IPv6 takes IPv4 as `::ffff:a.b.c.d`.
 * @throws EINVAL
 */
export function parseAddress(text: string, family: 4 | 6): IpWords {
  return family === 4 ? mapIpv4(parseIpv4(text)) : parseIpv6(text)
}

/** The text of an address as a socket of a family shows it; undefined is every address. */
export function formatAddress(words: IpWords | undefined, family: 4 | 6): string {
  if (family === 4) return words === undefined ? '0.0.0.0' : formatIpv4(words[3])
  return words === undefined ? '::' : formatIpv6(words)
}

/** `::` or 0.0.0.0. */
function isAny(words: IpWords): boolean {
  return words[3] === 0 && (words[0] | words[1]) === 0 && (words[2] === 0 || words[2] === 0xffff)
}

export function socketError(qd: QueueDescriptor, code: ErrorCode, message: string, remedy?: string): ParakernelError {
  return new ParakernelError(code, message, {
    subject: `udp socket ${qd}`,
    ...(remedy === undefined ? {} : { remedy }),
  })
}

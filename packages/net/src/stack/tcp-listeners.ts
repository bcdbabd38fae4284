import { type IpWords, isIpv4Mapped } from '@parakernel/queue'
import { sameWords } from '../route/route-table.ts'
import { Backlog } from '../tcp/passive/backlog.ts'
import { Fifo } from '../udp/fifo.ts'
import type { StreamSocket } from './stream-socket.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'

/** A listening socket: what a SYN meets, and where connections wait for an accept. */
export class Listener {
  readonly socket: StreamSocket
  readonly backlog: Backlog
  /** In records of the SYN backlog; unique among the listeners of a stack. */
  readonly id: number
  /** Complete connections that nobody has accepted. */
  readonly waiting = new Fifo<TcpEndpoint>()

  constructor(socket: StreamSocket, limit: number, id: number) {
    this.socket = socket
    this.backlog = new Backlog(limit)
    this.id = id
  }
}

/** Which addresses a bound socket takes connections for. */
interface Bound {
  readonly family: 4 | 6
  /** Undefined: every address of the family, and of IPv4 too if `dual`. */
  readonly address: IpWords | undefined
  readonly dual: boolean
}

/** What of it stands in the way of another: an address in common. */
function overlaps(a: Bound, b: Bound): boolean {
  const shareFamily = a.family === b.family || (a.family === 6 ? covers4(a) : covers4(b))
  if (a.address !== undefined && b.address !== undefined) return sameWords(a.address, b.address)
  return shareFamily
}

function covers4({ address, dual }: Bound): boolean {
  return address === undefined ? dual : isIpv4Mapped(address)
}

/** The local ports that sockets have bound, and the listeners at them. */
export class BoundPorts {
  /** Sockets bound to each port: not 0 keeps a port from being chosen for others. */
  readonly taken = new Int32Array(65_536)
  readonly #byPort = new Map<number, StreamSocket[]>()
  readonly #byId = new Map<number, Listener>()
  #lastId = 0

  /** Whether a socket may be bound there: no other one may take connections for an address of its. */
  isFree(port: number, bound: Bound): boolean {
    const others = this.#byPort.get(port)
    return others === undefined || !others.some((other) => overlaps(boundOf(other), bound))
  }

  add(socket: StreamSocket): void {
    const port = socket.localPort
    const others = this.#byPort.get(port)
    if (others === undefined) this.#byPort.set(port, [socket])
    else others.push(socket)
    this.taken[port]++
  }

  remove(socket: StreamSocket): void {
    const port = socket.localPort
    const others = this.#byPort.get(port)
    const at = others?.indexOf(socket) ?? -1
    if (others === undefined || at < 0) return
    others.splice(at, 1)
    if (others.length === 0) this.#byPort.delete(port)
    this.taken[port]--
  }

  /** Makes a bound socket listen. */
  listen(socket: StreamSocket, limit: number): Listener {
    const listener = new Listener(socket, limit, ++this.#lastId)
    this.#byId.set(listener.id, listener)
    return listener
  }

  close(listener: Listener): void {
    this.#byId.delete(listener.id)
  }

  listener(id: number): Listener | undefined {
    return this.#byId.get(id)
  }

  /** Who takes connections to an address and port: a socket bound to that address before one bound to all. */
  find(local: IpWords, port: number): Listener | undefined {
    const sockets = this.#byPort.get(port)
    if (sockets === undefined) return undefined
    let any: Listener | undefined
    for (const socket of sockets) {
      const { listener, localAddress } = socket
      if (listener === undefined) continue
      if (localAddress === undefined) {
        const takes = isIpv4Mapped(local) ? socket.family === 4 || !socket.options.ipv6Only : socket.family === 6
        if (takes) any = listener
      } else if (sameWords(localAddress, local)) {
        return listener
      }
    }
    return any
  }
}

export function boundOf(socket: StreamSocket): Bound {
  const { family, localAddress, options } = socket
  return { family, address: localAddress, dual: family === 6 && !options.ipv6Only }
}

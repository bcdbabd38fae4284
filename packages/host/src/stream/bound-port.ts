import net, { type Server, Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { formatSocketAddress, type SocketAddress } from '@parakernel/queue'
import { type Family, isWildcard } from '../addresses.ts'

/**
 * An address and port that a stream socket holds, before it is known whether it will listen or connect. `bind` of the
 * contract has taken effect when it returns, with the ephemeral port known; Node binds in `listen` and `connect` alone, a
 * turn later, but for `BoundSocket` (Node 26.4, and late versions of 24). Others have what the cluster module binds with.
 */
export class BoundPort {
  readonly name: SocketAddress
  readonly family: Family
  readonly ipv6Only: boolean
  readonly #handle: object
  #adopted = false

  /** @throws an error of Node's: EADDRINUSE, EADDRNOTAVAIL, EACCES */
  constructor({ address, port }: SocketAddress, family: Family, ipv6Only: boolean) {
    this.family = family
    this.ipv6Only = ipv6Only
    // Sockets that are bound and neither listen nor connect may share a port, as far as the kernel is concerned.
    if (port !== 0) refuseHeld({ address, port }, family, ipv6Only)
    const { handle, bound } = bindNow({ address, port }, family, ipv6Only)
    this.#handle = handle
    this.name = { address: bound.address, port: bound.port }
    held.add(this)
  }

  /** Starts `server` on it; what goes wrong is emitted by the server. */
  listen(server: Server, backlog: number): void {
    this.#adopted = true
    server.listen(this.#handle, backlog)
  }

  /** A socket to connect from here, and what its `connect` is to be told. */
  socket(): { readonly socket: Socket; readonly from: { localAddress: string; localPort: number } | undefined } {
    this.#adopted = true
    if (hasBoundSocket()) {
      return { socket: new Socket({ handle: this.#handle, allowHalfOpen: true } as never), from: undefined }
    }
    // A socket would read at once from a handle that is not connected; so the port is given back, and taken once more.
    ;(this.#handle as TcpHandle).close()
    const { address, port } = this.name
    return { socket: new Socket({ allowHalfOpen: true }), from: { localAddress: address, localPort: port } }
  }

  /** Gives the port back; the kernel keeps it for as long as a server or a connection that took it over does. */
  release(): void {
    held.delete(this)
    if (!this.#adopted) (this.#handle as TcpHandle).close()
    this.#adopted = true
  }
}

/** Ports that sockets of this process hold. */
const held = new Set<BoundPort>()

function refuseHeld(wanted: SocketAddress, family: Family, ipv6Only: boolean): void {
  for (const { name, family: other, ipv6Only: otherOnly } of held) {
    if (name.port !== wanted.port) continue
    if (family !== other && (family === 'ipv6' ? ipv6Only : otherOnly)) continue
    const apart = family === other ? name.address !== wanted.address : true
    if (apart && !isWildcard(name.address) && !isWildcard(wanted.address)) continue
    throw Object.assign(new Error(`bind EADDRINUSE ${formatSocketAddress(wanted)}`), { code: 'EADDRINUSE' })
  }
}

interface TcpHandle {
  getsockname(out: object): number
  close(): void
}

/** What `node:net` has beyond its types, or not in every version. */
interface NetInternals {
  readonly BoundSocket?: new (options: {
    host: string
    port: number
    ipv6Only?: boolean
  }) => { address(): SocketAddress; close(): void }
  _createServerHandle(address: string, port: number, family: number, fd: undefined, flags: number): TcpHandle | number
}

function hasBoundSocket(): boolean {
  return (net as unknown as NetInternals).BoundSocket !== undefined
}

/** `UV_TCP_IPV6ONLY` of libuv. */
const IPV6_ONLY = 1

function bindNow({ address, port }: SocketAddress, family: Family, ipv6Only: boolean) {
  const { BoundSocket, _createServerHandle } = net as unknown as NetInternals
  if (BoundSocket !== undefined) {
    const handle = new BoundSocket({ host: address, port, ...(ipv6Only ? { ipv6Only } : {}) })
    return { handle, bound: handle.address() }
  }
  const handle = _createServerHandle(address, port, family === 'ipv4' ? 4 : 6, undefined, ipv6Only ? IPV6_ONLY : 0)
  if (typeof handle === 'number') throw systemError(handle)
  const bound = { address: '', port: 0 }
  // libuv puts EADDRINUSE off to the next call.
  const error = handle.getsockname(bound)
  if (error !== 0) {
    handle.close()
    throw systemError(error)
  }
  return { handle, bound }
}

function systemError(error: number): Error {
  const code = getSystemErrorName(error)
  return Object.assign(new Error(`bind ${code}`), { code })
}

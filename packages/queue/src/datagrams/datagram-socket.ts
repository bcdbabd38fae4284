import { ParakernelError } from '@parakernel/hal'
import { formatSocketAddress, parseSocketAddress } from '../address/socket-address.ts'
import type { NetworkLibOS, SocketOption, SocketOptions } from '../network-libos.ts'
import { sgaFromBytes } from '../scatter-gather-helpers.ts'
import { closeIfOpen, errorOf } from '../streams/failure.ts'
import type { QueueDescriptor, QueueToken, SocketAddress } from '../types.ts'

export interface Datagram {
  /** A copy, on a buffer of its own. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly source: SocketAddress
  /** The bytes as UTF-8. */
  readonly text: string
}

export interface DatagramOptions {
  /** Where to bind, an address and a port or their text; an ephemeral port of every IPv4 address by default. */
  readonly local?: SocketAddress | string
  readonly options?: Readonly<Partial<SocketOptions>>
}

const ANYWHERE: SocketAddress = { address: '0.0.0.0', port: 0 }
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Opens and binds a datagram socket with promises. @throws EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOPROTOOPT */
export function openDatagrams(
  libos: NetworkLibOS,
  { local = ANYWHERE, options = {} }: DatagramOptions = {},
): DatagramSocket {
  const at = typeof local === 'string' ? parseSocketAddress(local) : local
  const qd = libos.socket('datagram', at.address.includes(':') ? 'ipv6' : 'ipv4')
  try {
    for (const option of Object.keys(options) as SocketOption[]) {
      libos.setsockopt(qd, option, options[option] as SocketOptions[typeof option])
    }
    libos.bind(qd, at)
  } catch (error) {
    libos.close(qd)
    throw error
  }
  return new DatagramSocket(libos, qd)
}

/** Datagrams with promises, one an operation, over the tokens of any `NetworkLibOS`: the friendly face, which copies. */
export class DatagramSocket implements AsyncIterable<Datagram>, Disposable {
  readonly libos: NetworkLibOS
  readonly qd: QueueDescriptor
  /** With the port that it got. */
  readonly local: SocketAddress

  /** Takes over a bound descriptor. */
  constructor(libos: NetworkLibOS, qd: QueueDescriptor) {
    this.libos = libos
    this.qd = qd
    this.local = libos.getsockname(qd)
  }

  /**
   * Sends a datagram to `peer`, an address and a port or their text. Text goes as UTF-8. Resolves when the libOS has taken it, which does
   * not say that it arrives. Rejects with EMSGSIZE, EHOSTUNREACH, ENOBUFS and the like, and with EBADF after `close`.
   */
  async send(content: Uint8Array | string, peer: SocketAddress | string): Promise<void> {
    const to = typeof peer === 'string' ? parseSocketAddress(peer) : peer
    const sga = sgaFromBytes(this.libos.pool, typeof content === 'string' ? encoder.encode(content) : content)
    let token: QueueToken
    try {
      token = this.libos.pushTo(this.qd, sga, to)
    } finally {
      sga.free()
    }
    const completion = await this.libos.runtime.completion(token)
    if (completion.kind !== 'push') throw errorOf(completion, this.#subject)
  }

  /**
   * The next datagram. Several may wait, and get theirs in order. Rejects with the reason of `signal`, with ECANCELED when the
   * socket is closed meanwhile, and with EBADF when it was.
   */
  async receive({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Datagram> {
    signal?.throwIfAborted()
    const { runtime } = this.libos
    const token = this.libos.pop(this.qd)
    const giveUp = () => void runtime.cancel(token)
    signal?.addEventListener('abort', giveUp, { once: true })
    const completion = await runtime.completion(token)
    signal?.removeEventListener('abort', giveUp)
    if (completion.kind !== 'pop') {
      if (completion.kind === 'failed' && completion.code === 'ECANCELED') signal?.throwIfAborted()
      throw errorOf(completion, this.#subject)
    }
    const bytes = completion.sga.toBytes()
    completion.sga.free()
    return {
      bytes,
      source: completion.source ?? ANYWHERE,
      get text() {
        return decoder.decode(bytes)
      },
    }
  }

  /** Ends the socket at once: what waits rejects with ECANCELED, and loops over it end. Idempotent. */
  close(): void {
    closeIfOpen(this.libos, this.qd)
  }

  /** Datagrams as they come, until the socket is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void, undefined> {
    for (;;) {
      const datagram = await this.receive().catch((error: unknown) => {
        const isClosed = error instanceof ParakernelError && (error.code === 'ECANCELED' || error.code === 'EBADF')
        if (!isClosed) throw error
      })
      if (datagram === undefined) return
      yield datagram
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  get #subject(): string {
    return `datagrams ${formatSocketAddress(this.local)}`
  }
}

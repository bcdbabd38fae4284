import type { ParakernelError } from '@parakernel/hal'
import { formatSocketAddress, parseSocketAddress } from '../address/socket-address.ts'
import type { NetworkLibOS, SocketOptions } from '../network-libos.ts'
import type { QueueDescriptor, SocketAddress } from '../types.ts'
import { openStreamSocket } from './connect-stream.ts'
import { errorOf } from './failure.ts'
import { Stream } from './stream.ts'

export interface StreamListenOptions {
  /** Connections that may wait for an accept; the libOS's default. */
  readonly backlog?: number
  /** Of the listener, and so of its connections. */
  readonly options?: Readonly<Partial<SocketOptions>>
}

/**
 * Listens at `address`, an address and a port or their text, as in `0.0.0.0:80`; port 0 is an ephemeral one.
 * @throws EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOPROTOOPT
 */
export function listenStream(
  libos: NetworkLibOS,
  address: SocketAddress | string,
  { backlog, options = {} }: StreamListenOptions = {},
): StreamListener {
  const at = typeof address === 'string' ? parseSocketAddress(address) : address
  const qd = openStreamSocket(libos, at, options, at)
  try {
    libos.listen(qd, backlog)
  } catch (error) {
    libos.close(qd)
    throw error
  }
  return new StreamListener(libos, qd)
}

/** Connections as they come: by `accept`, or in a loop that ends with `close`, or with the libOS. */
export class StreamListener implements AsyncIterable<Stream>, AsyncDisposable {
  readonly libos: NetworkLibOS
  readonly qd: QueueDescriptor
  /** With the port that it got. */
  readonly address: SocketAddress
  #closed = false

  /** Takes over a listening descriptor. */
  constructor(libos: NetworkLibOS, qd: QueueDescriptor) {
    this.libos = libos
    this.qd = qd
    this.address = libos.getsockname(qd)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The next connection. Rejects with ECANCELED when the listener is closed meanwhile, with EBADF when it was. */
  accept(): Promise<Stream> {
    return new Promise((resolve, reject) => this.#accept(resolve, reject))
  }

  /** Stops listening; connections that nobody has accepted are reset, the others go on. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.libos.close(this.qd)
  }

  [Symbol.asyncIterator](): AsyncIterator<Stream, undefined> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          const over = () => resolve({ value: undefined, done: true })
          if (this.#closed) over()
          else {
            this.#accept(
              (value) => resolve({ value, done: false }),
              (error) => (error.code === 'ECANCELED' ? over() : reject(error)),
            )
          }
        }),
      return: async () => {
        this.close()
        return { value: undefined, done: true }
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #accept(resolve: (stream: Stream) => void, reject: (error: ParakernelError) => void): void {
    this.libos.runtime.notify(this.libos.accept(this.qd), (completion) => {
      if (completion.kind !== 'accept') {
        reject(errorOf(completion, `listener at ${formatSocketAddress(this.address)}`))
        return
      }
      const { accepted, peer } = completion
      queueMicrotask(() => resolve(new Stream(this.libos, accepted, peer)))
    })
  }
}

import { ParakernelError } from '@parakernel/hal'
import { formatSocketAddress, parseSocketAddress } from '../address/socket-address.ts'
import type { NetworkLibOS, SocketOption, SocketOptions } from '../network-libos.ts'
import type { QueueDescriptor, SocketAddress } from '../types.ts'
import { closeIfOpen, errorOf } from './failure.ts'
import { Stream } from './stream.ts'

export interface ConnectOptions {
  /** Where to connect from; the libOS's choice by default. */
  readonly local?: SocketAddress
  /** Set before the connection is opened. */
  readonly options?: Readonly<Partial<SocketOptions>>
  /** Gives up; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Opens a connection to `peer`, an address and a port or their text, as in `10.0.0.2:80`. Rejects with ECONNREFUSED,
 * ETIMEDOUT, EHOSTUNREACH and the like, or with the reason of the signal.
 * @throws EINVAL, EADDRINUSE, ENOPROTOOPT at once, for what is wrong with the arguments
 */
export function connectStream(
  libos: NetworkLibOS,
  peer: SocketAddress | string,
  { local, options = {}, signal }: ConnectOptions = {},
): Promise<Stream> {
  const to = typeof peer === 'string' ? parseSocketAddress(peer) : peer
  if (signal?.aborted) return Promise.reject(signal.reason)
  const qd = openStreamSocket(libos, to, options, local)
  return new Promise((resolve, reject) => {
    const token = libos.connect(qd, to)
    const giveUp = () => {
      closeIfOpen(libos, qd)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    libos.runtime.notify(token, (completion) => {
      signal?.removeEventListener('abort', giveUp)
      if (signal?.aborted) return
      // Out of the round in which it happened: the descriptor is used, or given back.
      queueMicrotask(() => {
        if (completion.kind === 'connect') resolve(new Stream(libos, qd, to))
        else {
          closeIfOpen(libos, qd)
          reject(errorOf(completion, `connection to ${formatSocketAddress(to)}`))
        }
      })
    })
  })
}

/** A stream socket of the family of `address`, with options set and bound to `local`; none is left open by an error. */
export function openStreamSocket(
  libos: NetworkLibOS,
  { address }: SocketAddress,
  options: Readonly<Partial<SocketOptions>>,
  local: SocketAddress | undefined,
): QueueDescriptor {
  const qd = libos.socket('stream', address.includes(':') ? 'ipv6' : 'ipv4')
  try {
    for (const option of Object.keys(options) as SocketOption[]) {
      libos.setsockopt(qd, option, options[option] as SocketOptions[typeof option])
    }
    if (local !== undefined) libos.bind(qd, local)
  } catch (error) {
    libos.close(qd)
    throw error instanceof ParakernelError ? error : new ParakernelError('EINVAL', String(error), { cause: error })
  }
  return qd
}

import dgram from 'node:dgram'
import type { SocketAddress } from '@parakernel/queue'
import type { Family } from '../addresses.ts'

/** Where an ephemeral port is looked for: the dynamic ports of RFC 6335. */
const FIRST_DYNAMIC = 49_152
const DYNAMIC_PORTS = 65_536 - FIRST_DYNAMIC
const TRIES = 128

type LookupCallback = (error: null, address: string, family: number) => void

/**
 * A socket of Node's whose calls take effect before they return. Node makes `bind`, `connect` and `send` wait for the
 * look-up of a name; addresses here are numbers always, so the look-up answers at once, in the call itself. `exclusive`
 * keeps the primary of a cluster out of it. Errors of `bind` and `connect` then arrive as an event within the call.
 */
export function createNodeSocket(family: Family, ipv6Only: boolean): dgram.Socket {
  const number = family === 'ipv4' ? 4 : 6
  return dgram.createSocket({
    type: `udp${number}`,
    ipv6Only,
    lookup: (address: string, options: unknown, callback?: LookupCallback) => {
      const answer = (typeof options === 'function' ? options : callback) as LookupCallback
      answer(null, address, number)
    },
  })
}

/** Runs a call of `socket`, and throws what it emitted as an error. */
function orThrow(socket: dgram.Socket, call: () => void): void {
  let failure: unknown
  const note = (error: unknown) => {
    failure ??= error
  }
  socket.prependListener('error', note)
  try {
    call()
  } finally {
    socket.removeListener('error', note)
  }
  if (failure !== undefined) throw failure
}

export function bindNow(socket: dgram.Socket, { address, port }: SocketAddress): void {
  orThrow(socket, () => socket.bind({ address, port, exclusive: true }))
}

/**
 * Binds to a port of our own choice. The kernel forgets a port that it chose itself when an association is dissolved
 * (Linux), so asking it for port 0 will not do.
 */
export function bindEphemeral(create: () => dgram.Socket, address: string): dgram.Socket {
  for (let i = 0; ; i++) {
    const socket = create()
    try {
      const port = i < TRIES ? FIRST_DYNAMIC + Math.floor(Math.random() * DYNAMIC_PORTS) : 0
      bindNow(socket, { address, port })
      return socket
    } catch (error) {
      socket.close()
      if (i >= TRIES || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}

export function connectNow(socket: dgram.Socket, { address, port }: SocketAddress): void {
  orThrow(socket, () => socket.connect(port, address))
}

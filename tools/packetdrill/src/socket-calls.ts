import { ParakernelError } from '@parakernel/hal'
import { type Completion, type QueueToken, sgaFromBytes } from '@parakernel/queue'
import { type BlockedCall, Descriptor } from './descriptor.ts'
import * as linux from './linux-names.ts'
import type { Answer, Request } from './messages.ts'
import { decodeAddress, encodeAddress } from './socket-address.ts'
import { getOption, setOption } from './socket-options.ts'
import type { World } from './world.ts'

/** An answer, or a call that has to wait for one. */
export type Outcome = Answer | BlockedCall

/** The socket calls of POSIX over the libOS's queues. */
export class SocketCalls {
  readonly #world: World
  readonly #table = new Map<number, Descriptor>()
  readonly #respond: (call: BlockedCall, answer: Answer) => void

  constructor(world: World, respond: (call: BlockedCall, answer: Answer) => void) {
    this.#world = world
    this.#respond = respond
  }

  /** Carries a request out; undefined for an operation that is none of sockets. */
  handle(request: Request): Outcome | undefined {
    try {
      if (request.operation === 'socket') return this.#socket(request)
      if (request.operation === 'poll') return this.#poll(request)
      const descriptor = this.#table.get(request.number())
      if (descriptor === undefined) return failed('EBADF')
      return this.#call(request, descriptor)
    } catch (error) {
      if (error instanceof ParakernelError) return failed(error.code)
      throw error
    }
  }

  #call(request: Request, descriptor: Descriptor): Outcome | undefined {
    const { libos } = this.#world
    const { qd } = descriptor
    switch (request.operation) {
      case 'bind': {
        const address = decodeAddress(request.bytes())
        if (address === undefined) return failed('EAFNOSUPPORT')
        libos.bind(qd, address)
        return DONE
      }
      case 'listen':
        libos.listen(qd, Math.max(1, request.number()))
        return DONE
      case 'accept':
        return this.#accept(descriptor, request.number())
      case 'connect':
        return this.#connect(descriptor, request.bytes())
      case 'read': {
        const room = request.number()
        return this.#read(descriptor, room, (request.number() & linux.MSG_DONTWAIT) !== 0)
      }
      case 'write': {
        const dontWait = (request.number() & linux.MSG_DONTWAIT) !== 0
        const to = request.bytes()
        return this.#write(descriptor, request.bytes(), to, dontWait)
      }
      case 'fcntl':
        return this.#fcntl(descriptor, request.number(), request.number())
      case 'ioctl':
        return this.#ioctl(descriptor, request.number())
      case 'close':
        libos.close(qd)
        this.#table.delete(descriptor.number)
        return DONE
      case 'shutdown':
        return this.#shutdown(descriptor, request.number())
      case 'getsockopt':
        return getOption(libos, descriptor, request.number(), request.number())
      case 'setsockopt':
        return setOption(libos, descriptor, request.number(), request.number(), request.bytes())
      default:
        return undefined
    }
  }

  #socket(request: Request): Outcome {
    const number = request.number()
    const family = request.number()
    const type = request.number()
    const stream = (type & 15) === linux.SOCK_STREAM
    if (!stream && (type & 15) !== linux.SOCK_DGRAM) return failed('EPROTONOSUPPORT')
    const qd = this.#world.libos.socket(stream ? 'stream' : 'datagram', family === linux.AF_INET ? 'ipv4' : 'ipv6')
    this.#table.set(number, new Descriptor(number, qd, family, stream, (type & linux.SOCK_NONBLOCK) !== 0))
    return { result: number }
  }

  #accept(listener: Descriptor, number: number): Outcome {
    listener.accepting ??= this.#world.libos.accept(listener.qd)
    if (listener.nonblocking && this.#world.libos.runtime.isPending(listener.accepting)) return failed('EAGAIN')
    return this.#await(listener.accepting, false, (completion) => {
      listener.accepting = undefined
      if (completion.kind !== 'accept') return failure(completion)
      this.#table.set(number, new Descriptor(number, completion.accepted, listener.family, true, false))
      return { result: number, data: encodeAddress(completion.peer, listener.family) }
    })
  }

  #connect(descriptor: Descriptor, to: Uint8Array): Outcome {
    const peer = decodeAddress(to)
    if (peer === undefined) return failed('EAFNOSUPPORT')
    if (descriptor.connecting !== undefined) return failed('EALREADY')
    descriptor.connecting = this.#world.libos.connect(descriptor.qd, peer)
    if (descriptor.nonblocking && this.#world.libos.runtime.isPending(descriptor.connecting))
      return failed('EINPROGRESS')
    return this.#await(descriptor.connecting, false, (completion) => {
      descriptor.connecting = undefined
      return completion.kind === 'connect' ? DONE : failure(completion)
    })
  }

  #read(descriptor: Descriptor, room: number, dontWait: boolean): Outcome {
    const { libos } = this.#world
    const token = libos.pop(descriptor.qd, Math.max(1, room))
    // After SHUT_RD what is there can be read, and then the end.
    if (descriptor.readEnded && libos.runtime.cancel(token)) {
      libos.runtime.wait(token, 0)
      return DONE
    }
    return this.#await(token, descriptor.nonblocking || dontWait, (completion) => {
      if (completion.kind !== 'pop') return failure(completion)
      const bytes = completion.sga.toBytes()
      completion.sga.free()
      const source = completion.source === undefined ? [] : encodeAddress(completion.source, descriptor.family)
      return { result: bytes.length, data: Uint8Array.from([...bytes, ...source]) }
    })
  }

  #write(descriptor: Descriptor, data: Uint8Array, to: Uint8Array, dontWait: boolean): Outcome {
    const { libos } = this.#world
    const peer = to.length === 0 ? undefined : decodeAddress(to)
    const sga = sgaFromBytes(libos.pool, data)
    const token = peer === undefined ? libos.push(descriptor.qd, sga) : libos.pushTo(descriptor.qd, sga, peer)
    sga.free()
    return this.#await(token, descriptor.nonblocking || dontWait, (completion) =>
      completion.kind === 'push' ? { result: completion.bytes } : failure(completion),
    )
  }

  #shutdown(descriptor: Descriptor, how: number): Outcome {
    if (how !== linux.SHUT_WR) descriptor.readEnded = true
    if (how !== linux.SHUT_RD) this.#world.libos.halfClose(descriptor.qd)
    return DONE
  }

  #fcntl(descriptor: Descriptor, command: number, value: number): Outcome {
    if (command === linux.F_GETFL) return { result: 2 | (descriptor.nonblocking ? linux.O_NONBLOCK : 0) }
    if (command === linux.F_SETFL) descriptor.nonblocking = (value & linux.O_NONBLOCK) !== 0
    return DONE
  }

  #ioctl(descriptor: Descriptor, code: number): Outcome {
    const info = this.#world.libos.sockets().find(({ qd }) => qd === descriptor.qd)
    const value = code === linux.SIOCINQ ? info?.receiveQueue : code === linux.SIOCOUTQ ? info?.sendQueue : undefined
    if (value === undefined) return failed('ENOTTY')
    return { result: 0, data: new Uint8Array(Int32Array.of(value).buffer) }
  }

  /** What is ready now; packetdrill polls without a time-out in the scripts that we run. */
  #poll(request: Request): Outcome {
    request.number()
    const count = request.number()
    const found = new BigInt64Array(count)
    let ready = 0
    for (let i = 0; i < count; i++) {
      const descriptor = this.#table.get(request.number())
      const wanted = request.number()
      const info = this.#world.libos.sockets().find(({ qd }) => qd === descriptor?.qd)
      const ended = info?.state === 'close-wait' || info?.state === 'closed'
      let events = 0
      if ((info?.receiveQueue ?? 0) > 0 || ended) events |= linux.POLLIN
      if (info?.state === 'established' || info?.state === 'close-wait') events |= linux.POLLOUT
      found[i] = BigInt((events & wanted) | (info?.state === 'closed' ? linux.POLLHUP : 0))
      if (found[i] !== 0n) ready++
    }
    return { result: ready, data: new Uint8Array(found.buffer) }
  }

  /** The answer of a token that is done; a call that waits; or, without leave to wait, EAGAIN and the token taken back. */
  #await(token: QueueToken, nonblocking: boolean, finish: (completion: Completion) => Answer): Outcome {
    const { runtime } = this.#world.libos
    if (nonblocking && runtime.cancel(token)) {
      runtime.wait(token, 0)
      return failed('EAGAIN')
    }
    if (!runtime.isPending(token)) return finish(runtime.wait(token, 0))
    const call: BlockedCall = { token, finish: (completion) => this.#respond(call, finish(completion)) }
    return call
  }
}

export const DONE: Answer = { result: 0 }

export function failed(code: string): Answer {
  return { result: -1, errno: linux.errnoOf(code) }
}

function failure(completion: Completion): Answer {
  return failed(completion.kind === 'failed' ? completion.code : 'EIO')
}

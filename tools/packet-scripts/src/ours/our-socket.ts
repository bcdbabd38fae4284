import { ParakernelError } from '@parakernel/hal'
import type { NetLibOS } from '@parakernel/net'
import {
  type Completion,
  type QueueDescriptor,
  type QueueToken,
  type SocketOption,
  type SocketOptions,
  sgaFromBytes,
} from '@parakernel/queue'
import type { Family } from '../language/script.ts'
import { CallError, type Operation, type Outcome, type SubjectSocket } from '../run/subject.ts'

/** What a socket needs of the system that it is in. */
export interface OurSockets {
  /** Of the sockets. */
  readonly family: Family
  /** The remote end, as these sockets call it. */
  readonly remote: string
  readonly libos: NetLibOS
  /** Watches a token until it is complete. */
  follow(token: QueueToken, outcomeOf: (completion: Completion) => Outcome): Operation
}

export class OurSocket implements SubjectSocket {
  readonly #sockets: OurSockets
  readonly #qd: QueueDescriptor

  constructor(sockets: OurSockets, qd: QueueDescriptor) {
    this.#sockets = sockets
    this.#qd = qd
  }

  bind(port: number): void {
    const address = this.#sockets.family === 4 ? '0.0.0.0' : '::'
    attempt(() => this.#sockets.libos.bind(this.#qd, { address, port }))
  }

  listen(backlog: number): void {
    attempt(() => this.#sockets.libos.listen(this.#qd, backlog))
  }

  accept(): Operation {
    return this.#data((libos, qd) => libos.accept(qd))
  }

  connect(port: number): Operation {
    const address = this.#sockets.remote
    return this.#data((libos, qd) => libos.connect(qd, { address, port }))
  }

  read(limit: number): Operation {
    return this.#data((libos, qd) => libos.pop(qd, limit))
  }

  write(bytes: Uint8Array): Operation {
    return this.#data((libos, qd) => {
      const sga = sgaFromBytes(libos.pool, bytes)
      const token = libos.push(qd, sga)
      sga.free()
      return token
    })
  }

  send(bytes: Uint8Array, port: number): Operation {
    const address = this.#sockets.remote
    return this.#data((libos, qd) => {
      const sga = sgaFromBytes(libos.pool, bytes)
      const token = libos.pushTo(qd, sga, { address, port })
      sga.free()
      return token
    })
  }

  receive(): Operation {
    return this.#data((libos, qd) => libos.pop(qd))
  }

  shutdown(): void {
    attempt(() => this.#sockets.libos.halfClose(this.#qd))
  }

  close(): void {
    attempt(() => this.#sockets.libos.close(this.#qd))
  }

  finish(): Operation {
    return this.#data((libos, qd) => libos.asyncClose(qd))
  }

  abort(): void {
    attempt(() => this.#sockets.libos.setsockopt(this.#qd, 'linger', 0))
    this.close()
  }

  set(option: string, text: string): void {
    attempt(() => this.#sockets.libos.setsockopt(this.#qd, option as SocketOption, optionValue(text)))
  }

  get(option: string): string {
    return String(attempt(() => this.#sockets.libos.getsockopt(this.#qd, option as SocketOption)))
  }

  #data(issue: (libos: NetLibOS, qd: QueueDescriptor) => QueueToken): Operation {
    const token = attempt(() => issue(this.#sockets.libos, this.#qd))
    return this.#sockets.follow(token, (completion) => this.#outcomeOf(completion))
  }

  #outcomeOf(completion: Completion): Outcome {
    switch (completion.kind) {
      case 'failed':
        return { kind: 'error', code: completion.code }
      case 'accept':
        return { kind: 'socket', socket: new OurSocket(this.#sockets, completion.accepted) }
      case 'push':
        return { kind: 'written', bytes: completion.bytes }
      case 'pop': {
        const bytes = completion.sga.toBytes()
        completion.sga.free()
        return bytes.length === 0 && completion.source === undefined ? { kind: 'eof' } : { kind: 'bytes', bytes }
      }
      default:
        return { kind: 'done' }
    }
  }
}

function attempt<T>(body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof ParakernelError) throw new CallError(error.code, error.message)
    throw error
  }
}

function optionValue(text: string): SocketOptions[SocketOption] {
  if (text === 'true' || text === 'false') return text === 'true'
  return (/^-?\d+$/.test(text) ? Number(text) : text) as SocketOptions[SocketOption]
}

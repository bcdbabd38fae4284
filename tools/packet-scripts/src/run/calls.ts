import type { CallSpec, OutcomeSpec } from '../language/script.ts'
import { pattern, patternBreak } from '../wire/bytes.ts'
import type { Flows } from './flow.ts'
import { CallError, type Operation, type Outcome, type Subject, type SubjectSocket } from './subject.ts'

/** A socket under its name, and how far its two streams have come: numbers relative to the SYN. */
interface Named {
  readonly socket: SubjectSocket
  readOffset: number
  writeOffset: number
}

/** Arguments that may be left out. */
const DEFAULTS = { backlog: '16', flow: '1' }

/** The sockets of a script, and its calls on them. */
export class Calls {
  readonly #subject: Subject
  readonly #flows: Flows
  readonly #sockets = new Map<string, Named>()

  constructor(subject: Subject, flows: Flows) {
    this.#subject = subject
    this.#flows = flows
  }

  /** Begins a call. What it throws as an error code is its outcome. */
  begin(call: CallSpec): Operation {
    const at = this.#subject.now()
    try {
      const result = this.#call(call)
      return isOperation(result) ? result : { outcome: result ?? { kind: 'done' }, at }
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      return { outcome: { kind: 'error', code: error.code }, at }
    }
  }

  #call({ verb, arguments: given }: CallSpec): Operation | Outcome | undefined {
    const [first, second = '', third = ''] = given
    if (verb === 'socket') return { kind: 'socket', socket: this.#subject.socket(first as 'stream' | 'datagram') }
    const named = this.#named(first)
    const { socket } = named
    switch (verb) {
      case 'bind':
        socket.bind(Number(second))
        return
      case 'listen':
        socket.listen(Number(second || DEFAULTS.backlog))
        return
      case 'accept':
        return socket.accept()
      case 'connect':
        return socket.connect(this.#remotePort(second))
      case 'read':
        return socket.read(Number(second))
      case 'write': {
        const bytes = pattern(named.writeOffset, Number(second))
        named.writeOffset += bytes.length
        return socket.write(bytes)
      }
      case 'send':
        return socket.send(pattern(0, Number(second)), this.#remotePort(third))
      case 'receive':
        return socket.receive()
      case 'shutdown':
        socket.shutdown()
        return
      case 'close':
        socket.close()
        return
      case 'finish':
        return socket.finish()
      case 'abort':
        socket.abort()
        return
      case 'set':
        socket.set(second, third)
        return
      case 'get': {
        const value = socket.get(second)
        if (value !== third) throw new Error(`${second} is ${value}, not ${third}`)
        return
      }
      default:
        throw new Error(`no call ${verb}`)
    }
  }

  /** Looks whether a completed call came to what the script says; undefined when it did. Names what it gave. */
  verify({ verb, result, arguments: given, outcome: expected }: CallSpec, outcome: Outcome): string | undefined {
    if (outcome.kind === 'socket' && expected.kind === 'done') {
      this.#sockets.set(result as string, { socket: outcome.socket, readOffset: 1, writeOffset: 1 })
      return undefined
    }
    if (!agrees(outcome, expected)) return `it came to ${describe(outcome)}, not to ${describeSpec(expected)}`
    if (outcome.kind !== 'bytes') return undefined
    const named = this.#named(given[0])
    const start = verb === 'receive' ? 0 : named.readOffset
    if (verb === 'read') named.readOffset += outcome.bytes.length
    const at = patternBreak(outcome.bytes, start)
    return at < 0 ? undefined : `what was read is not what was sent, from byte ${at} on`
  }

  #named(name: string): Named {
    const named = this.#sockets.get(name)
    if (named === undefined) {
      throw new Error(`there is no socket ${name}; there are ${[...this.#sockets.keys()].join(', ') || 'none'}`)
    }
    return named
  }

  #remotePort(flow: string): number {
    return this.#flows.of(Number(flow || DEFAULTS.flow)).remotePort
  }
}

function isOperation(value: Operation | Outcome | undefined): value is Operation {
  return value !== undefined && 'at' in value
}

function agrees(outcome: Outcome, expected: OutcomeSpec): boolean {
  switch (outcome.kind) {
    case 'error':
      return expected.kind === 'error' && expected.code === outcome.code
    case 'bytes':
      return expected.kind === 'bytes' && expected.bytes === outcome.bytes.length
    case 'written':
      return expected.kind === 'bytes' && expected.bytes === outcome.bytes
    default:
      return expected.kind === outcome.kind
  }
}

export function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'error':
      return outcome.code
    case 'bytes':
      return `${outcome.bytes.length} bytes`
    case 'written':
      return `${outcome.bytes} bytes`
    case 'eof':
      return 'the end of the stream'
    default:
      return outcome.kind === 'socket' ? 'a socket' : 'success'
  }
}

function describeSpec(expected: OutcomeSpec): string {
  switch (expected.kind) {
    case 'error':
      return expected.code
    case 'bytes':
      return `${expected.bytes} bytes`
    case 'eof':
      return 'the end of the stream'
    default:
      return expected.kind === 'pending' ? 'nothing yet' : 'success'
  }
}

import type { Line } from './line.ts'
import { parseSpan } from './parse-time.ts'
import type { CallSpec, OutcomeSpec } from './script.ts'

/** The calls: arguments by name (a ? may be left out), and whether they give a socket. */
export const CALLS: Readonly<Record<string, { readonly arguments: readonly string[]; readonly gives: boolean }>> = {
  socket: { arguments: ['stream|datagram'], gives: true },
  bind: { arguments: ['socket', 'port'], gives: false },
  listen: { arguments: ['socket', 'backlog?'], gives: false },
  accept: { arguments: ['socket'], gives: true },
  connect: { arguments: ['socket', 'flow?'], gives: false },
  read: { arguments: ['socket', 'limit'], gives: false },
  write: { arguments: ['socket', 'bytes'], gives: false },
  send: { arguments: ['socket', 'bytes', 'flow?'], gives: false },
  receive: { arguments: ['socket', 'bytes'], gives: false },
  shutdown: { arguments: ['socket'], gives: false },
  close: { arguments: ['socket'], gives: false },
  finish: { arguments: ['socket'], gives: false },
  abort: { arguments: ['socket'], gives: false },
  set: { arguments: ['socket', 'option', 'value'], gives: false },
  get: { arguments: ['socket', 'option', 'value'], gives: false },
}

const VERBS = Object.keys(CALLS)
const NAME = /^[a-z][a-zA-Z0-9]*$/

/** Whether a line that begins so is a call. */
export function beginsCall(line: Line): boolean {
  return VERBS.includes(line.next) || line.peek(1) === '='
}

/** `[NAME =] VERB ARGUMENTS [-> OUTCOME [after TIME]]`. */
export function parseCall(line: Line): CallSpec {
  let result: string | undefined
  if (line.peek(1) === '=') {
    if (!NAME.test(line.next)) throw line.wrong('the name of a socket: letters and digits')
    result = line.take('')
    line.take('')
  }
  const verb = line.oneOf(VERBS)
  const signature = CALLS[verb]
  if (signature.gives && result === undefined) throw line.error(`${verb} gives a socket: write NAME = ${verb} ...`)
  if (!signature.gives && result !== undefined) throw line.error(`${verb} gives no socket`)
  const given: string[] = []
  for (const name of signature.arguments) {
    if (line.atEnd || line.next === '->') {
      if (!name.endsWith('?')) throw line.wrong(`${verb} ${signature.arguments.join(' ')}`)
      break
    }
    given.push(line.take(name))
  }
  const amount = ['read', 'write', 'send', 'receive'].includes(verb) ? Number(given[1]) : undefined
  if (amount !== undefined && !Number.isInteger(amount)) throw line.error(`'${given[1]}' is not a number of bytes`)
  let outcome: OutcomeSpec = amount === undefined ? { kind: 'done' } : { kind: 'bytes', bytes: amount }
  if (line.accept('->')) outcome = parseOutcome(line)
  const after = line.accept('after') ? parseSpan(line) : undefined
  line.end()
  return { verb, result, arguments: given, outcome, after }
}

function parseOutcome(line: Line): OutcomeSpec {
  const word = line.next
  if (/^E[A-Z]+$/.test(word)) return { kind: 'error', code: line.take('') }
  if (/^\d+$/.test(word)) return { kind: 'bytes', bytes: line.integer('bytes') }
  switch (word) {
    case 'ok':
      line.take('')
      return { kind: 'done' }
    case 'eof':
    case 'pending':
      line.take('')
      return { kind: word }
    default:
      throw line.wrong('ok, a number of bytes, eof, pending, or an error code as in ECONNRESET')
  }
}

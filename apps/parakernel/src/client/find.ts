import { unlinkSync } from 'node:fs'
import { socketsFound } from '@parakernel/config'
import { EXIT, Failure, usageError } from '../exit-codes.ts'
import type { Terminal } from '../terminal.ts'
import { Connection } from './connection.ts'

/** Connects to every process of this user that can be looked at. Sockets that dead ones left behind are removed. */
export async function connectAll(terminal: Terminal, known: ReadonlySet<string> = new Set()): Promise<Connection[]> {
  const found = await Promise.all(
    socketsFound()
      .filter((path) => !known.has(path))
      .map((path) =>
        Connection.open(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ECONNREFUSED') remove(path)
          else if (!isGone(error)) terminal.err(`parakernel: ${error.message}`)
          return undefined
        }),
      ),
  )
  const connections = found.filter((one) => one !== undefined)
  return connections.sort((one, other) => one.description.started - other.description.started)
}

/** Connects to the process that a word names, by socket or number, or to the only one that there is. */
export async function connectOne(word: string | undefined, terminal: Terminal): Promise<Connection> {
  if (word !== undefined && !/^\d+$/.test(word)) return connectTo(word)
  const all = await connectAll(terminal)
  const fitting = word === undefined ? all : all.filter(({ description }) => description.pid === Number(word))
  const [one, ...others] = fitting
  for (const other of all) if (other !== one || others.length > 0) other.close()
  if (one === undefined) throw nothingFound(word)
  if (others.length === 0) return one
  const names = fitting.map(({ description: { pid, program }, path }) => `  ${pid}  ${program}  ${path}`)
  throw usageError(`several processes run machines; name one by its socket or number:\n${names.join('\n')}`)
}

export function nothingFound(pid?: string): Failure {
  const what = pid === undefined ? 'no machine is running that can be looked at' : `process ${pid} offers no machine`
  return new Failure(
    EXIT.failed,
    `${what}. Start one with --observe.socket auto (programs have it by themselves), as the same user, or name its socket`,
  )
}

async function connectTo(path: string): Promise<Connection> {
  try {
    return await Connection.open(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new Failure(EXIT.failed, `${path}: there is no such socket; see parakernel list`)
    if (isGone(error as NodeJS.ErrnoException))
      throw new Failure(EXIT.failed, `${path}: its process is gone; see parakernel list`)
    throw message.includes(path) ? error : new Failure(EXIT.failed, `${path}: ${message}`)
  }
}

/** Nobody is left at a socket, or not for long. */
function isGone({ code = '' }: NodeJS.ErrnoException): boolean {
  return ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE'].includes(code)
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Somebody else was faster.
  }
}

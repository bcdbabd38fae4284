import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import type { ObservedProcess } from './observed-process.ts'
import { makeRuntimeDirectory } from './runtime-directory.ts'
import { Session } from './session.ts'

const MOST_CLIENTS = 16
/** sun_path on Linux, with the zero at its end. */
const LONGEST_PATH = 107
/** Sockets of one process number that may be there, of other containers that share the directory. */
const MOST_NAMESAKES = 16

/** Offers a process's statistics on a Unix socket. */
export class SocketEndpoint {
  readonly address: string
  readonly #server: Server
  readonly #sessions = new Set<Session>()
  readonly #unlink: () => void

  private constructor(server: Server, path: string, observed: ObservedProcess) {
    this.#server = server
    this.address = path
    this.#unlink = () => {
      try {
        unlinkSync(path)
      } catch {
        // It is gone already.
      }
    }
    process.once('exit', this.#unlink)
    server.on('connection', (socket) => {
      if (this.#sessions.size >= MOST_CLIENTS) {
        observed.counts.refused++
        socket.on('error', () => {})
        socket.end(
          `${JSON.stringify({ type: 'error', code: 'EBUSY', message: `${MOST_CLIENTS} clients are connected` })}\n`,
        )
        socket.destroySoon()
        return
      }
      const session = new Session(socket, observed)
      this.#sessions.add(session)
      socket.on('close', () => this.#sessions.delete(session))
    })
  }

  /**
   * @param setting a path, or `auto`
   * @throws EADDRINUSE when a process that lives has the path; EACCES, ENAMETOOLONG, EIO
   */
  static async open(setting: string, observed: ObservedProcess): Promise<SocketEndpoint> {
    if (setting !== 'auto') return new SocketEndpoint(await listen(setting), setting, observed)
    const directory = makeRuntimeDirectory()
    for (let i = 1; ; i++) {
      const path = join(directory, `${process.pid}${i === 1 ? '' : `-${i}`}.sock`)
      try {
        return new SocketEndpoint(await listen(path), path, observed)
      } catch (error) {
        if (i === MOST_NAMESAKES || (error as ParakernelError).code !== 'EADDRINUSE') throw error
      }
    }
  }

  async close(): Promise<void> {
    process.off('exit', this.#unlink)
    for (const session of this.#sessions) session.end()
    // Sessions end by themselves; the path is gone when this returns.
    this.#server.close()
    this.#unlink()
  }
}

/** Takes a path, from a process that left it behind if need be. */
async function listen(path: string): Promise<Server> {
  if (Buffer.byteLength(path) > LONGEST_PATH) throw refusal('ENAMETOOLONG', path, `has more than ${LONGEST_PATH} bytes`)
  try {
    return await tryToListen(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw toError(path, error)
  }
  if (await isAlive(path)) throw refusal('EADDRINUSE', path, 'is taken, by a process that runs or by a file')
  try {
    unlinkSync(path)
    return await tryToListen(path)
  } catch (error) {
    throw toError(path, error)
  }
}

async function tryToListen(path: string): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  server.unref()
  chmodSync(path, 0o600)
  return server
}

/** Whether anybody answers at a path. One that is no socket counts as taken: it is not ours to remove. */
async function isAlive(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) return true
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}

function toError(path: string, cause: unknown): ParakernelError {
  const { code, message } = cause as NodeJS.ErrnoException
  const known = (['EACCES', 'EADDRINUSE', 'ENOENT', 'ENOTDIR', 'EROFS'] as const).find((one) => one === code) ?? 'EIO'
  return refusal(known, path, `cannot listen: ${message}`, cause)
}

function refusal(code: ConstructorParameters<typeof ParakernelError>[0], path: string, what: string, cause?: unknown) {
  const remedy = 'Set observe.socket to another path, or to none'
  return new ParakernelError(code, what, { subject: `observe.socket ${path}`, remedy, cause })
}

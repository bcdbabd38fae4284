import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { ProcessDescription, ProcessSnapshot } from '@parakernel/config'
import { type ChromeEvent, ParakernelError } from '@parakernel/hal'

/** What an observed process sends. */
export type Message =
  | ({ readonly type: 'description' } & ProcessDescription)
  | ({ readonly type: 'snapshot' } & ProcessSnapshot)
  | { readonly type: 'metrics'; readonly text: string }
  | { readonly type: 'trace'; readonly events: readonly ChromeEvent[] }
  | { readonly type: 'trace-end'; readonly events: number; readonly overwritten: number }
  | { readonly type: 'error'; readonly code: string; readonly message: string }
  | { readonly type: 'end' }

/** Milliseconds in which a process must say who it is. */
const PATIENCE = 3000

/** One process that is looked at. */
export class Connection {
  readonly path: string
  /** Of the moment: machines come and go. */
  description: ProcessDescription
  readonly #socket: Socket
  readonly #messages: AsyncIterator<Message>

  private constructor(path: string, description: ProcessDescription, socket: Socket, messages: AsyncIterator<Message>) {
    this.path = path
    this.description = description
    this.#socket = socket
    this.#messages = messages
  }

  /** @throws ECONNREFUSED where nobody is left, ECONNRESET for a process that ends, ENOENT, ETIMEDOUT, EACCES; EBUSY for a process with too many clients */
  static async open(path: string): Promise<Connection> {
    const socket = connect(path)
    const timer = setTimeout(() => {
      const remedy = 'Its process may be stopped, or hang'
      socket.destroy(new ParakernelError('ETIMEDOUT', 'does not answer', { subject: path, remedy }))
    }, PATIENCE)
    try {
      await once(socket, 'connect')
      const messages = messagesOf(socket)
      const first = (await messages.next()).value as Message | undefined
      if (first === undefined) throw new ParakernelError('ECONNRESET', 'closes the connection', { subject: path })
      if (first.type === 'error') throw new ParakernelError('EBUSY', first.message, { subject: path })
      if (first.type !== 'description' || first.protocol !== 1) {
        throw new ParakernelError('EPROTO', 'is no socket of a parakernel machine', { subject: path })
      }
      return new Connection(path, first, socket, messages)
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  send(request: object): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(request)}\n`)
  }

  /** The next message; undefined when the process says no more. Descriptions are taken note of on the way. */
  async next(): Promise<Message | undefined> {
    const { value, done } = await this.#messages.next()
    if (done === true || value.type === 'end') return undefined
    if (value.type === 'description') this.description = value
    return value
  }

  close(): void {
    this.#socket.destroy()
  }
}

async function* messagesOf(socket: Socket): AsyncGenerator<Message, undefined> {
  let failure: Error | undefined
  socket.on('error', (error) => {
    failure = error
  })
  const lines = createInterface({ input: socket })
  lines.on('error', () => {})
  for await (const line of lines) {
    try {
      yield JSON.parse(line) as Message
    } catch {
      throw new ParakernelError('EPROTO', 'says what is no JSON', { subject: 'the socket' })
    }
  }
  if (failure instanceof ParakernelError) throw failure
  return undefined
}

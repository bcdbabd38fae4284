import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

export interface Message {
  readonly type: string
  readonly [name: string]: unknown
}

/** A client of the observer's socket that keeps all that it is told. */
export class ObserverClient {
  readonly socket: Socket
  readonly messages: Message[] = []
  readonly closed: Promise<void>

  constructor(path: string) {
    this.socket = connect(path)
    onTestFinished(() => void this.socket.destroy())
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    const lines = createInterface({ input: this.socket })
    lines.on('error', () => {})
    lines.on('line', (line) => this.messages.push(JSON.parse(line) as Message))
  }

  send(...requests: readonly unknown[]): void {
    for (const request of requests) this.socket.write(`${JSON.stringify(request)}\n`)
  }

  /** The next message of a type, those that have been asked for before aside. */
  async next<T = Message>(type: string): Promise<T> {
    for (;;) {
      const at = this.messages.findIndex((message) => message.type === type)
      if (at >= 0) return this.messages.splice(at, 1)[0] as T
      if (this.socket.destroyed) throw new Error(`the socket closed without ${type}: ${JSON.stringify(this.messages)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

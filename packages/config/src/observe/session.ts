import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { ObservedProcess } from './observed-process.ts'
import { prometheusText } from './prometheus.ts'
import { ALLOWED_REQUESTS, type ObserverRequest, parseRequest } from './requests.ts'

/** Longest request, in characters. */
const LONGEST_LINE = 4096
/** Requests that nobody can understand, before the client is cut off. */
const MOST_BAD_REQUESTS = 8
/** Bytes that may wait for a client to read before no more of its requests are looked at. */
const BACKLOG = 256 * 1024
/** Milliseconds in which a client must read something, when something waits for it. */
const PATIENCE = 30_000
/** Events of a trace in one line. */
const EVENTS_A_LINE = 500

/**
 * One client of the observer's socket. Whatever it sends, and however slowly it reads, it costs the process a bounded amount of
 * memory, and one snapshot a turn of Node's loop.
 */
export class Session {
  readonly #socket: Socket
  readonly #process: ObservedProcess
  readonly #stopListening: () => void
  /** Received, and not yet looked at. */
  #text = ''
  #answering = false
  #bad = 0
  #timer: NodeJS.Timeout | undefined
  #trace: AbortController | undefined
  readonly #gone = new AbortController()

  constructor(socket: Socket, process: ObservedProcess) {
    this.#socket = socket
    this.#process = process
    socket.unref()
    socket.setEncoding('utf8')
    socket.setTimeout(PATIENCE, () => {
      if (socket.writableLength > 0) this.#cutOff()
    })
    socket.on('data', (text: string) => {
      this.#text += text
      void this.#answer()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#closed())
    this.#describe()
    this.#stopListening = process.onChange(() => this.#describe())
    process.counts.clients++
  }

  /** Tells the client that this was all. What it does not read at once it does not get. */
  end(): void {
    this.#write({ type: 'end' })
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), 1000).unref()
  }

  #describe(): void {
    this.#write({ type: 'description', ...this.#process.describe() })
  }

  /** Answers the requests that have come, one a turn of Node's loop, and none while the client does not read. */
  async #answer(): Promise<void> {
    if (this.#answering) return
    this.#answering = true
    const socket = this.#socket
    try {
      for (;;) {
        const end = this.#text.indexOf('\n')
        if (end < 0 || socket.destroyed) break
        // The rest can wait in the kernel.
        socket.pause()
        if (socket.writableLength > BACKLOG) await once(socket, 'drain', { signal: this.#gone.signal })
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 1)
        if (line.trim() !== '') this.#serve(line)
        await new Promise((resolve) => setImmediate(resolve))
      }
      if (this.#text.length > LONGEST_LINE) this.#cutOff()
      else socket.resume()
    } catch {
      // The socket went away while it was to drain.
    } finally {
      this.#answering = false
    }
  }

  #serve(line: string): void {
    const request = line.length > LONGEST_LINE ? undefined : parseRequest(line)
    if (request !== undefined) this.#fulfil(request)
    else {
      this.#process.counts.badRequests++
      if (++this.#bad >= MOST_BAD_REQUESTS) this.#cutOff()
      else this.#refuse('EINVAL', `not understood; allowed, a line each: ${ALLOWED_REQUESTS}`)
    }
  }

  #fulfil(request: ObserverRequest): void {
    if ('interval' in request) {
      clearInterval(this.#timer)
      if (request.interval > 0) {
        this.#snapshot()
        this.#timer = setInterval(() => this.#snapshotWhenDue(), request.interval).unref()
      }
    } else if ('trace' in request) void this.#record(request.trace)
    else if (request.get === 'snapshot') this.#snapshot()
    else this.#write({ type: 'metrics', text: prometheusText(this.#process.snapshot()) })
  }

  #snapshot(): void {
    this.#write({ type: 'snapshot', ...this.#process.snapshot() })
  }

  #snapshotWhenDue(): void {
    if (this.#socket.writableLength > 0) this.#process.counts.skipped++
    else this.#snapshot()
  }

  async #record(seconds: number): Promise<void> {
    if (this.#trace !== undefined) return this.#refuse('EBUSY', 'a trace is under way; ask again when it is here')
    const trace = new AbortController()
    this.#trace = trace
    const timer = setTimeout(() => trace.abort(), seconds * 1000).unref()
    try {
      const { traceEvents, otherData } = await this.#process.trace(trace.signal)
      for (let i = 0; i < traceEvents.length; i += EVENTS_A_LINE) {
        const events = traceEvents.slice(i, i + EVENTS_A_LINE)
        if (!this.#write({ type: 'trace', events })) await once(this.#socket, 'drain', { signal: this.#gone.signal })
      }
      this.#write({ type: 'trace-end', events: traceEvents.length, ...otherData })
    } catch {
      // The socket went away while it was to drain.
    } finally {
      clearTimeout(timer)
      this.#trace = undefined
    }
  }

  #refuse(code: string, message: string): void {
    this.#write({ type: 'error', code, message })
  }

  /** False when the client should read first. */
  #write(message: object): boolean {
    return this.#socket.writable ? this.#socket.write(`${JSON.stringify(message)}\n`) : true
  }

  #cutOff(): void {
    this.#process.counts.dropped++
    this.#socket.destroy()
  }

  #closed(): void {
    this.#process.counts.clients--
    this.#stopListening()
    clearInterval(this.#timer)
    this.#trace?.abort()
    this.#gone.abort()
  }
}

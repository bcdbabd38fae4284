import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ParakernelError } from '@parakernel/hal'
import { type Endpoint, formatEndpoint } from './endpoint.ts'
import { EXPOSITION_TYPE } from './exposition.ts'
import type { ObservedProcess } from './observed-process.ts'
import { prometheusText } from './prometheus.ts'

const MOST_CONNECTIONS = 32
/** Milliseconds that a request may take to arrive, and a client to read. */
const PATIENCE = 10_000
/** A scraper comes back every few seconds, by the same connection. */
const KEEP_ALIVE = 120_000
/** Milliseconds for which a text is good enough: whoever asks faster costs no more. */
const FRESH = 100

/** Serves `/metrics` to Prometheus. */
export class HttpEndpoint {
  /** `host:port`. */
  readonly address: string
  readonly #server: Server
  readonly #process: ObservedProcess
  #text = ''
  #textTime = Number.NEGATIVE_INFINITY

  private constructor(server: Server, process: ObservedProcess, host: string) {
    this.#server = server
    this.#process = process
    this.address = formatEndpoint({ host, port: (server.address() as AddressInfo).port })
    server.on('request', (request, response) => this.#answer(request, response))
  }

  /** @throws EADDRINUSE, EACCES, EADDRNOTAVAIL */
  static async open({ host, port }: Endpoint, process: ObservedProcess): Promise<HttpEndpoint> {
    const server = createServer({
      requestTimeout: PATIENCE,
      headersTimeout: PATIENCE,
      keepAliveTimeout: KEEP_ALIVE,
      maxHeaderSize: 8192,
    })
    server.maxConnections = MOST_CONNECTIONS
    server.on('drop', () => process.counts.refused++)
    // Whoever watches keeps nothing alive.
    server.on('connection', (socket) => socket.unref())
    server.on('clientError', (_error, socket) => {
      process.counts.badRequests++
      socket.destroy()
    })
    server.setTimeout(KEEP_ALIVE)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const known = ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'] as const
        const code = known.find((one) => one === cause.code) ?? 'EIO'
        const subject = `observe.prometheus ${formatEndpoint({ host, port })}`
        const remedy = 'Choose another port, or 0 for any'
        reject(new ParakernelError(code, `cannot listen: ${cause.message}`, { subject, remedy, cause }))
      })
      server.listen(port, host, resolve)
    })
    server.unref()
    return new HttpEndpoint(server, process, host)
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    const path = url?.split('?')[0]
    if (method !== 'GET' && method !== 'HEAD') this.#refuse(response, 405, 'GET and HEAD only\n')
    else if (path === '/') response.end('parakernel: /metrics\n')
    else if (path !== '/metrics') this.#refuse(response, 404, 'There is only /metrics\n')
    else {
      const now = performance.now()
      if (now - this.#textTime > FRESH) {
        this.#text = prometheusText(this.#process.snapshot())
        this.#textTime = now
      }
      response.setHeader('content-type', EXPOSITION_TYPE)
      response.end(this.#text)
    }
  }

  /** What a body has to say is not read. */
  #refuse(response: ServerResponse, status: number, text: string): void {
    this.#process.counts.badRequests++
    response.writeHead(status, { connection: 'close', ...(status === 405 ? { allow: 'GET, HEAD' } : {}) })
    response.end(text)
  }
}

import { createHash } from 'node:crypto'
import {
  listenStream,
  type NetworkLibOS,
  type SocketAddress,
  type Stream,
  type StreamListener,
} from '@parakernel/queue'
import { patternPieces } from '../pattern.ts'
import { BadRequest, type Request, RequestReader } from './request-reader.ts'

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
}

const PAGE = '<!doctype html><title>parakernel</title><p>This page came from a network stack in TypeScript.</p>\n'

/**
 * An HTTP/1.1 server, as much of one as curl and wrk ask for: connections that are kept alive, pipelining, bodies of known
 * length and in chunks, both ways.
 *
 *     GET /             a page
 *     GET /bytes/N      N bytes of the pattern, with their length
 *     GET /stream/N     the same in chunks
 *     PUT, POST /       takes a body, and answers with its length and SHA-256 as JSON
 */
export function serveHttp(libos: NetworkLibOS, address: SocketAddress): StreamListener {
  const listener = listenStream(libos, address, { backlog: 1024, options: { noDelay: true } })
  const serving = async () => {
    for await (const stream of listener) void new HttpConnection(stream).run()
  }
  serving().catch((error) => console.error(error))
  return listener
}

class HttpConnection {
  readonly #stream: Stream
  readonly #reader: RequestReader
  /** Answers that wait to go out together: those of one piece of pipelined requests. */
  #out = ''

  constructor(stream: Stream) {
    this.#stream = stream
    this.#reader = new RequestReader(stream)
  }

  /** Serves until either end has enough. What ends the connection early is the peer's affair. */
  async run(): Promise<void> {
    try {
      while (await this.#next());
      await this.#flush()
      await this.#stream.end()
      // A reset would overtake the last answer; so what the peer still says is heard.
      while ((await this.#stream.read()) !== undefined);
    } catch {
      this.#stream.abort()
    }
  }

  /** One request; false when there are no more. */
  async #next(): Promise<boolean> {
    try {
      for (let request = this.#reader.head(); ; request = this.#reader.head()) {
        if (request !== undefined) return await this.#answer(request)
        await this.#flush()
        if (!(await this.#reader.more())) return false
      }
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error
      this.#say(error.status, `${error.message}\n`, 'text/plain', false)
      return false
    }
  }

  async #answer(request: Request): Promise<boolean> {
    const { method, version, fields } = request
    const wish = fields.get('connection')?.toLowerCase()
    const keepAlive = version === 'HTTP/1.1' ? wish !== 'close' : wish === 'keep-alive'
    if (method === 'PUT' || method === 'POST') await this.#take(request, keepAlive)
    else if (method === 'GET' || method === 'HEAD') await this.#give(request, keepAlive)
    else {
      for await (const _ of this.#reader.body(request));
      this.#say(405, 'not here\n', 'text/plain', keepAlive)
    }
    return keepAlive
  }

  async #take(request: Request, keepAlive: boolean): Promise<void> {
    if (request.fields.get('expect')?.toLowerCase() === '100-continue') {
      this.#out += 'HTTP/1.1 100 Continue\r\n\r\n'
      await this.#flush()
    }
    const hash = createHash('sha256')
    let bytes = 0
    for await (const piece of this.#reader.body(request)) {
      hash.update(piece)
      bytes += piece.byteLength
    }
    this.#say(200, `${JSON.stringify({ bytes, sha256: hash.digest('hex') })}\n`, 'application/json', keepAlive)
  }

  async #give(request: Request, keepAlive: boolean): Promise<void> {
    const withBody = request.method === 'GET'
    for await (const _ of this.#reader.body(request));
    if (request.path === '/') {
      this.#say(200, PAGE, 'text/html', keepAlive, withBody)
      return
    }
    const match = /^\/(bytes|stream)\/(\d{1,12})$/.exec(request.path)
    if (match === null) {
      this.#say(404, 'no such thing\n', 'text/plain', keepAlive, withBody)
      return
    }
    const length = Number(match[2])
    const chunked = match[1] === 'stream'
    this.#head(200, 'application/octet-stream', keepAlive, chunked ? undefined : length)
    if (!withBody) return
    await this.#flush()
    for (const piece of patternPieces(length)) {
      if (chunked) await this.#stream.write(`${piece.byteLength.toString(16)}\r\n`)
      await this.#stream.write(piece)
      if (chunked) await this.#stream.write('\r\n')
    }
    if (chunked) this.#out += '0\r\n\r\n'
  }

  #say(status: number, body: string, type: string, keepAlive: boolean, withBody = true): void {
    this.#head(status, type, keepAlive, body.length)
    if (withBody) this.#out += body
  }

  #head(status: number, type: string, keepAlive: boolean, length: number | undefined): void {
    this.#out += `HTTP/1.1 ${status} ${REASONS[status]}\r\nServer: parakernel\r\nContent-Type: ${type}\r\n`
    this.#out += length === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${length}\r\n`
    this.#out += keepAlive ? '\r\n' : 'Connection: close\r\n\r\n'
  }

  async #flush(): Promise<void> {
    if (this.#out === '') return
    const out = this.#out
    this.#out = ''
    await this.#stream.write(out)
  }
}

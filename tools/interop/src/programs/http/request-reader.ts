import type { Stream } from '@parakernel/queue'

/** The head of a request; names of fields are in lower case, values of fields that repeat are joined by commas. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly version: string
  readonly fields: ReadonlyMap<string, string>
}

/** What the peer sent is no request; the status is the answer, after which the connection ends. */
export class BadRequest extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const LARGEST_HEAD = 16_384
const decoder = new TextDecoder('latin1')

/** Requests of HTTP/1.1 (RFC 9112), one after the other, from the bytes of a connection. */
export class RequestReader {
  readonly #stream: Stream
  #bytes: Uint8Array = new Uint8Array(0)
  /** Bytes of it that were looked through for the end of a head. */
  #searched = 0

  constructor(stream: Stream) {
    this.#stream = stream
  }

  /** Waits for more bytes; false at the end of the stream. */
  async more(): Promise<boolean> {
    const bytes = await this.#stream.read()
    if (bytes === undefined) return false
    this.#bytes = this.#bytes.byteLength === 0 ? bytes : joined(this.#bytes, bytes)
    return true
  }

  /** Whether the peer has begun a request that is not complete. */
  get inRequest(): boolean {
    return this.#bytes.byteLength > 0
  }

  /** The next head, when all of it is there. @throws BadRequest */
  head(): Request | undefined {
    const bytes = this.#bytes
    for (let at = Math.max(0, this.#searched - 3); at + 3 < bytes.byteLength; at++) {
      if (bytes[at] !== 13 || bytes[at + 1] !== 10 || bytes[at + 2] !== 13 || bytes[at + 3] !== 10) continue
      if (at > LARGEST_HEAD) break
      this.#bytes = bytes.subarray(at + 4)
      this.#searched = 0
      return parseHead(decoder.decode(bytes.subarray(0, at)))
    }
    if (bytes.byteLength > LARGEST_HEAD) throw new BadRequest(431, 'the head is too long')
    this.#searched = bytes.byteLength
    return undefined
  }

  /** The bytes of a request's body. Has to be read to its end before the next head. @throws BadRequest */
  async *body({ fields }: Request): AsyncGenerator<Uint8Array> {
    if (fields.get('transfer-encoding')?.toLowerCase() === 'chunked') yield* this.#chunks()
    else yield* this.#take(lengthOf(fields.get('content-length') ?? '0', 10))
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const size = lengthOf((await this.#line()).split(';')[0].trim(), 16)
      if (size > 0) yield* this.#take(size)
      // After each chunk stands an empty line, after the last one the trailers and then that line.
      let line = await this.#line()
      while (size === 0 && line !== '') line = await this.#line()
      if (line !== '') throw new BadRequest(400, 'a chunk is longer than it says')
      if (size === 0) return
    }
  }

  async *#take(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (this.#bytes.byteLength === 0 && !(await this.more())) throw new BadRequest(400, 'the body is cut off')
      const piece = this.#bytes.subarray(0, left)
      this.#bytes = this.#bytes.subarray(piece.byteLength)
      left -= piece.byteLength
      yield piece
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#bytes.indexOf(10)
      if (end >= 0) {
        const line = decoder.decode(this.#bytes.subarray(0, end))
        this.#bytes = this.#bytes.subarray(end + 1)
        return line.replace(/\r$/, '')
      }
      if (this.#bytes.byteLength > LARGEST_HEAD) throw new BadRequest(400, 'a line is too long')
      if (!(await this.more())) throw new BadRequest(400, 'the body is cut off')
    }
  }
}

function parseHead(text: string): Request {
  const [line, ...rest] = text.replace(/^(\r\n)+/, '').split('\r\n')
  const match = /^([A-Z]+) (\S+) (HTTP\/1\.[01])$/.exec(line)
  if (match === null) throw new BadRequest(400, 'no request line')
  const fields = new Map<string, string>()
  for (const field of rest) {
    const colon = field.indexOf(':')
    if (colon <= 0 || /\s/.test(field[colon - 1])) throw new BadRequest(400, 'no field')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).trim()
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  if (fields.has('content-length') && fields.has('transfer-encoding')) throw new BadRequest(400, 'two lengths')
  return { method: match[1], path: match[2], version: match[3], fields }
}

function lengthOf(digits: string, radix: 10 | 16): number {
  const pattern = radix === 10 ? /^\d{1,15}$/ : /^[\da-fA-F]{1,12}$/
  if (!pattern.test(digits)) throw new BadRequest(400, 'no length')
  return Number.parseInt(digits, radix)
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.byteLength + b.byteLength)
  out.set(a)
  out.set(b, a.byteLength)
  return out
}

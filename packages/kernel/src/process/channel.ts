import type { Duplex } from 'node:stream'
import { deserialize, serialize } from 'node:v8'
import { ParakernelError } from '@parakernel/hal'

const HEADER_BYTES = 4
/** Longest message, and what may wait for an end that does not read. */
const MESSAGE_BYTES = 16 << 20

/**
 * Messages over a stream whose other end is not trusted: a length in four bytes, little endian, and a value as structured clone writes it.
 * Node's own channel between processes throws into nowhere when it is sent garbage, and would take the control plane along.
 */
export class FramedChannel {
  readonly #stream: Duplex
  readonly #subject: string
  readonly #onMessage: (message: unknown) => void
  readonly #onEnd: (error: ParakernelError | undefined) => void
  readonly #chunks: Buffer[] = []
  #length = 0
  /** Bytes that must be there before anything can be done. */
  #needed = HEADER_BYTES
  #closed = false

  constructor(
    stream: Duplex,
    subject: string,
    onMessage: (message: unknown) => void,
    /** Nothing follows: the other end is gone, or sent what is no message, which is an error. */
    onEnd: (error: ParakernelError | undefined) => void,
  ) {
    this.#stream = stream
    this.#subject = subject
    this.#onMessage = onMessage
    this.#onEnd = onEnd
    stream.on('data', (chunk: Buffer) => this.#received(chunk))
    // After `close` there may still be an error, which tells nothing new.
    stream.on('error', () => this.#end(undefined))
    stream.on('end', () => this.#end(undefined))
  }

  /** @throws ENOBUFS when too much waits to be read at the other end; the error of the clone for what cannot be cloned */
  send(message: unknown): void {
    const body = serialize(message)
    if (body.length > MESSAGE_BYTES || this.#stream.writableLength > MESSAGE_BYTES) {
      throw new ParakernelError('ENOBUFS', 'the message is too long, or earlier ones are not read', {
        subject: this.#subject,
        remedy: 'Send less at a time, and wait for answers',
      })
    }
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32LE(body.length)
    this.#stream.cork()
    this.#stream.write(header)
    this.#stream.write(body)
    this.#stream.uncork()
  }

  /** Resolves when what was sent has left this process. */
  finish(): Promise<void> {
    return new Promise((resolve) => this.#stream.end(() => resolve()))
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true
    this.#stream.destroy()
  }

  #received(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    while (this.#length >= this.#needed && !this.#closed) {
      const bytes = Buffer.concat(this.#chunks.splice(0))
      const length = bytes.readUInt32LE(0)
      const end = HEADER_BYTES + length
      if (length > MESSAGE_BYTES) this.#refuse('sent a message that is too long')
      else if (bytes.length < end) {
        this.#needed = end
        this.#chunks.push(bytes)
      } else {
        this.#needed = HEADER_BYTES
        this.#length = bytes.length - end
        if (this.#length > 0) this.#chunks.push(bytes.subarray(end))
        this.#deliver(bytes.subarray(HEADER_BYTES, end))
      }
    }
  }

  #deliver(bytes: Buffer): void {
    let message: unknown
    try {
      message = deserialize(bytes)
    } catch (cause) {
      this.#refuse('sent what is no message', cause)
      return
    }
    this.#onMessage(message)
  }

  #refuse(message: string, cause?: unknown): void {
    this.#end(new ParakernelError('EPROTO', message, { subject: this.#subject, cause }))
  }

  #end(error: ParakernelError | undefined): void {
    if (this.#closed) return
    this.close()
    this.#onEnd(error)
  }
}

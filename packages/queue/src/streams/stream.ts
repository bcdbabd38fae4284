import { ParakernelError } from '@parakernel/hal'
import { formatSocketAddress } from '../address/socket-address.ts'
import type { NetworkLibOS, SocketOption, SocketOptions } from '../network-libos.ts'
import type { Completion, QueueDescriptor, SocketAddress } from '../types.ts'
import { Emitter } from './emitter.ts'
import { closeIfOpen, errorOf } from './failure.ts'
import { StreamWriter } from './stream-writer.ts'
import { readableOf, writableOf } from './web-streams.ts'

export type StreamEvents = {
  /** The peer's end was read. */
  end: undefined
  /** What ended the connection before its time. `close` follows. */
  error: ParakernelError
  /** The descriptor is gone. The last event. */
  close: undefined
}

const encoder = new TextEncoder()

/**
 * A connection with promises, one an operation, over the tokens of any `NetworkLibOS`. Bytes are copied, so that they outlive
 * their frames and are on ordinary buffers, which every web API takes. Backpressure is that of the tokens: nothing is read
 * that was not asked for, and a write resolves when all of it has room in the send buffer.
 *
 * The connection closes by itself when both halves have ended (the peer's end was read, ours was written), and when it
 * failed; `close` and `abort` do so earlier.
 */
export class Stream implements AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  readonly libos: NetworkLibOS
  readonly qd: QueueDescriptor
  readonly local: SocketAddress
  readonly peer: SocketAddress
  readonly #events = new Emitter<StreamEvents>()
  readonly #writer: StreamWriter
  #error: ParakernelError | undefined
  /** The peer's end was read; our end was written; the descriptor was given up. */
  #ended = false
  #finished = false
  #closed = false
  #finishing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined
  #writable: WritableStream<Uint8Array | string> | undefined

  /** Takes over a connected stream descriptor. */
  constructor(libos: NetworkLibOS, qd: QueueDescriptor, peer = libos.getpeername(qd)) {
    this.libos = libos
    this.qd = qd
    this.local = libos.getsockname(qd)
    this.peer = peer
    this.#writer = new StreamWriter(libos, qd, (completion) => this.#failed(completion))
  }

  /** Whether the descriptor is gone. */
  get closed(): boolean {
    return this.#closed
  }

  /** Calls `listener` when `event` happens. Returns the way to stop it. */
  on<K extends keyof StreamEvents>(event: K, listener: (value: StreamEvents[K]) => void): () => void {
    return this.#events.on(event, listener)
  }

  /**
   * The bytes that are there, at least one and at most `limit`; undefined at the end of the stream. Several reads may be under
   * way, and get their bytes in order. Rejects with what ended the connection, ECANCELED after `close` and `abort`.
   */
  read(limit?: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return new Promise((resolve, reject) => this.#pop(limit, resolve, reject))
  }

  /**
   * Resolves when all bytes have room in the send buffer. They may be changed from then on. Text goes as UTF-8. Rejects with
   * EPIPE after `end`, or with what ended the connection.
   */
  write(content: Uint8Array | string): Promise<void> {
    const bytes = typeof content === 'string' ? encoder.encode(content) : content
    return new Promise((resolve, reject) => {
      if (this.#finishing !== undefined || this.#closing !== undefined || this.#closed) reject(this.#cannotWrite())
      else this.#writer.write(bytes, resolve, reject)
    })
  }

  /**
   * Ends our half, after all that was written; the peer's half stays open. Resolves when that was taken. Bytes after the first
   * `end` are refused with EPIPE.
   */
  end(content?: Uint8Array | string): Promise<void> {
    if (content !== undefined) {
      const written = this.write(content)
      // Nothing can follow the end: these bytes are refused, and not lost.
      if (this.#finishing !== undefined) return written
      written.catch(() => {})
    }
    this.#finishing ??= new Promise((resolve, reject) => {
      this.#writer.whenIdle(() => {
        if (this.#error !== undefined || this.#closed) {
          reject(this.#error ?? this.#gone())
          return
        }
        try {
          this.libos.halfClose(this.qd)
        } catch (error) {
          reject(error)
          return
        }
        this.#finished = true
        resolve()
        this.#closeWhenDone()
      })
    })
    return this.#finishing
  }

  /**
   * Ends both halves in order, after all that was written. Resolves when the peer has acknowledged the end, at once when the
   * connection is gone already; rejects with what came instead of the end. Reads that wait reject with ECANCELED; bytes that
   * nobody read are dropped.
   */
  close(): Promise<void> {
    if (this.#closed) return this.#closing ?? Promise.resolve()
    this.#closing ??= new Promise((resolve, reject) => {
      this.#writer.whenIdle(() => {
        if (this.#closed) {
          reject(this.#error ?? this.#gone())
          return
        }
        this.#closed = true
        try {
          this.libos.runtime.notify(this.libos.asyncClose(this.qd), (completion) => {
            if (completion.kind === 'close') resolve()
            else reject(errorOf(completion, this.#subject))
            queueMicrotask(() => this.#events.emit('close', undefined))
          })
        } catch (error) {
          reject(error)
        }
      })
    })
    return this.#closing
  }

  /** Ends the connection at once, with a reset. Whatever waits rejects with ECANCELED. */
  abort(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      this.libos.setsockopt(this.qd, 'linger', 0)
    } catch {
      // The libOS was shut down, and the descriptor with it.
    }
    closeIfOpen(this.libos, this.qd)
    this.#writer.fail(this.#gone())
    this.#events.emit('close', undefined)
  }

  setOption<K extends SocketOption>(option: K, value: SocketOptions[K]): void {
    this.libos.setsockopt(this.qd, option, value)
  }

  getOption<K extends SocketOption>(option: K): SocketOptions[K] {
    return this.libos.getsockopt(this.qd, option)
  }

  /**
   * The peer's half as a byte stream (BYOB readers included) that reads only what is asked for. Cancelling it aborts the
   * connection. One for the life of the connection; do not `read` beside it.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#readable ??= readableOf(this)
    return this.#readable
  }

  /** Our half as a stream whose `close` is `end` and whose `abort` is `abort`. */
  get writable(): WritableStream<Uint8Array | string> {
    this.#writable ??= writableOf(this)
    return this.#writable
  }

  /** The bytes as they come, to the end. Leaving the loop early leaves the connection as it is. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>, undefined> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          this.#pop(
            undefined,
            (value) => resolve(value === undefined ? { value, done: true } : { value, done: false }),
            reject,
          )
        }),
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #pop(
    limit: number | undefined,
    resolve: (bytes: Uint8Array<ArrayBuffer> | undefined) => void,
    reject: (error: ParakernelError) => void,
  ): void {
    if (this.#ended) {
      resolve(undefined)
      return
    }
    if (this.#closed) {
      reject(this.#error ?? this.#gone())
      return
    }
    this.libos.runtime.notify(this.libos.pop(this.qd, limit), (completion) => {
      if (completion.kind !== 'pop') {
        reject(this.#failed(completion))
        return
      }
      const { sga } = completion
      if (sga.segments.length > 0) resolve(sga.toBytes())
      else {
        this.#endedNow()
        resolve(undefined)
      }
      sga.free()
    })
  }

  #endedNow(): void {
    if (this.#ended) return
    this.#ended = true
    queueMicrotask(() => {
      this.#events.emit('end', undefined)
      this.#closeWhenDone()
    })
  }

  #closeWhenDone(): void {
    if (this.#ended && this.#finished && !this.#closed) this.close().catch((error) => this.#events.emit('error', error))
  }

  /** Notes what ended the connection. Comes from the midst of a round, so the rest is put off. */
  #failed(completion: Completion): ParakernelError {
    const error = errorOf(completion, this.#subject)
    if (this.#closed || this.#error !== undefined) return error
    this.#error = error
    // Nobody else cancels our tokens: the descriptor is gone, with its libOS.
    const isGone = error.code === 'ECANCELED'
    if (isGone) this.#closed = true
    queueMicrotask(() => {
      this.#writer.fail(error)
      if (!isGone) this.#events.emit('error', error)
      if (this.#closed && !isGone) return
      this.#closed = true
      if (!isGone) closeIfOpen(this.libos, this.qd)
      this.#events.emit('close', undefined)
    })
    return error
  }

  #cannotWrite(): ParakernelError {
    if (this.#error !== undefined) return this.#error
    if (this.#closed && this.#finishing === undefined && this.#closing === undefined) return this.#gone()
    return new ParakernelError('EPIPE', 'this half was ended', { subject: this.#subject })
  }

  #gone(): ParakernelError {
    return new ParakernelError('ECANCELED', 'was closed', { subject: this.#subject })
  }

  get #subject(): string {
    return `stream ${formatSocketAddress(this.local)} to ${formatSocketAddress(this.peer)}`
  }
}

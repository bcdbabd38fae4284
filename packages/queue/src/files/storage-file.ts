import { ParakernelError } from '@parakernel/hal'
import type { FileStatus, StorageLibOS } from '../storage-libos.ts'
import { closeIfOpen, errorOf } from '../streams/failure.ts'
import { StreamWriter } from '../streams/stream-writer.ts'
import type { Completion, QueueDescriptor, QueueToken } from '../types.ts'
import { quotePath } from './path.ts'
import { readableOf, writableOf } from './web-streams.ts'

const encoder = new TextEncoder()

/** Frames of a read that has no limit, if the pool is large enough. */
const FRAMES = 8

/**
 * A file with promises, one an operation, over the tokens of any `StorageLibOS`. Bytes are copied, so that they outlive
 * their frames and are on ordinary buffers, which every web API takes. It is the caller's to close: `await using` does.
 */
export class StorageFile implements AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  readonly libos: StorageLibOS
  readonly qd: QueueDescriptor
  /** As it was opened. */
  readonly path: string
  readonly #chunk: number
  #writer: StreamWriter
  #closing: Promise<void> | undefined
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined
  #writable: WritableStream<Uint8Array | string> | undefined

  /** Takes over a descriptor of the libOS. */
  constructor(libos: StorageLibOS, qd: QueueDescriptor, path: string) {
    const { frameSize, headroom, frameCount, window } = libos.pool
    this.libos = libos
    this.qd = qd
    this.path = path
    this.#chunk = (frameSize - headroom - window.tailroom) * Math.max(1, Math.min(FRAMES, frameCount >> 4))
    this.#writer = this.#newWriter()
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Bytes, those of writes that were issued included. */
  get size(): number {
    return this.libos.status(this.qd).size
  }

  status(): FileStatus {
    return this.libos.status(this.qd)
  }

  /** As `StorageLibOS.seek`. */
  seek(offset: number, from?: 'start' | 'cursor' | 'end'): number {
    return this.libos.seek(this.qd, offset, from)
  }

  /** Bytes from the cursor, at most `limit`; undefined at the end. Several may be under way, and get their bytes in order. */
  read(limit = this.#chunk): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#popped(() => this.libos.pop(this.qd, limit))
  }

  /** Bytes from `position`, at most `limit`; undefined at the end. */
  readAt(position: number, limit = this.#chunk): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#popped(() => this.libos.popAt(this.qd, position, limit))
  }

  /** The whole file, in pieces that nobody's writes are kept out of. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    let bytes = new Uint8Array(this.size)
    let at = 0
    for (;;) {
      const piece = await this.readAt(at)
      if (piece === undefined) return at === bytes.byteLength ? bytes : bytes.slice(0, at)
      if (at + piece.byteLength > bytes.byteLength) {
        const larger = new Uint8Array(2 * (at + piece.byteLength))
        larger.set(bytes)
        bytes = larger
      }
      bytes.set(piece, at)
      at += piece.byteLength
    }
  }

  /** The whole file as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes())
  }

  /**
   * Writes at the cursor, or at the end of a file that is open to append, after what was written before. Resolves when all of it is as
   * durable as the file was opened for; the bytes may be changed from then on. Text goes as UTF-8. More than 32 KiB go as several pushes.
   */
  write(content: Uint8Array | string): Promise<void> {
    const bytes = typeof content === 'string' ? encoder.encode(content) : content
    return new Promise((resolve, reject) => {
      this.#writer.write(bytes, resolve, (error) => {
        // The next write is tried again: what failed this one may be over.
        this.#writer = this.#newWriter()
        reject(error)
      })
    })
  }

  /** As `write`, from `position`; the cursor stays. */
  writeAt(content: Uint8Array | string, position: number): Promise<void> {
    const bytes = typeof content === 'string' ? encoder.encode(content) : content
    const { runtime, pool } = this.libos
    let at = position
    const push: StorageLibOS['push'] = (qd, sga) => {
      const token = this.libos.pushAt(qd, sga, at)
      at += sga.byteLength
      return token
    }
    const writer = new StreamWriter({ runtime, pool, push }, this.qd, (completion) => this.#error(completion))
    return new Promise((resolve, reject) => writer.write(bytes, resolve, reject))
  }

  truncate(length: number): Promise<void> {
    return this.#pushed(() => this.libos.truncate(this.qd, length))
  }

  punchHole(position: number, length: number): Promise<void> {
    return this.#pushed(() => this.libos.punchHole(this.qd, position, length))
  }

  /** Resolves when everything that was written before is on stable media. */
  async sync(what?: 'data' | 'all'): Promise<void> {
    await this.#idle()
    return this.#pushed(() => this.libos.sync(this.qd, what))
  }

  /** Closes after everything that was written; rejects with what a write met on the media. Once more does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#idle().then(
      () =>
        new Promise((resolve, reject) => {
          this.libos.runtime.notify(this.libos.asyncClose(this.qd), (completion) => {
            if (completion.kind === 'close') resolve()
            else reject(this.#error(completion))
          })
        }),
    )
    return this.#closing
  }

  /** Closes at once. Whatever waits rejects with ECANCELED. */
  abort(): void {
    if (this.#closing !== undefined) return
    this.#closing = Promise.resolve()
    closeIfOpen(this.libos, this.qd)
    this.#writer.fail(new ParakernelError('ECANCELED', 'was closed', { subject: this.#subject }))
  }

  /** From the cursor to the end as a byte stream (BYOB readers included), which closes the file when it ends or is cancelled. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#readable ??= readableOf(this)
    return this.#readable
  }

  /** Writes at the cursor; its `close` and `abort` are those of the file. */
  get writable(): WritableStream<Uint8Array | string> {
    this.#writable ??= writableOf(this)
    return this.#writable
  }

  /** From the cursor to the end. Leaving the loop early leaves the cursor behind what was read. */
  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>, undefined> {
    for (let bytes = await this.read(); bytes !== undefined; bytes = await this.read()) yield bytes
    return undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #newWriter(): StreamWriter {
    return new StreamWriter(this.libos, this.qd, (completion) => this.#error(completion))
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => this.#writer.whenIdle(resolve))
  }

  #popped(pop: () => QueueToken): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return new Promise((resolve, reject) => {
      this.libos.runtime.notify(pop(), (completion) => {
        if (completion.kind !== 'pop') {
          reject(this.#error(completion))
          return
        }
        const { sga } = completion
        resolve(sga.segments.length === 0 ? undefined : sga.toBytes())
        sga.free()
      })
    })
  }

  #pushed(push: () => QueueToken): Promise<void> {
    return new Promise((resolve, reject) => {
      this.libos.runtime.notify(push(), (completion) => {
        if (completion.kind === 'push') resolve()
        else reject(this.#error(completion))
      })
    })
  }

  #error(completion: Completion): ParakernelError {
    return errorOf(completion, this.#subject)
  }

  get #subject(): string {
    return `file ${quotePath(this.path)}`
  }
}

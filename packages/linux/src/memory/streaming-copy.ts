import { ParakernelError } from '@parakernel/hal'
import { CodePage } from './code-page.ts'
import { assembleStreamingCopy, ENTRY_COPY, ENTRY_COPY_PERSIST } from './streaming-copy-code.ts'

/**
 * Copies into persistent memory past the caches, for one thread: there is nothing to write back then, only a fence to wait for.
 * x64 only. Nothing is checked here: an address outside of a mapping ends the process. Nothing is allocated.
 */
export class StreamingCopy {
  readonly #page: CodePage
  #words: Uint32Array
  #copy: () => void
  #persist: () => void

  /** @param target address that offsets of the copy count from, and `source` the same of what is copied */
  constructor(target: number, source: number) {
    this.#page = new CodePage('streaming copy code', (words) => assembleStreamingCopy(target, source, words))
    this.#words = this.#page.words
    this.#copy = this.#page.bind(ENTRY_COPY)
    this.#persist = this.#page.bind(ENTRY_COPY_PERSIST)
  }

  /** `length` is a positive multiple of 8; the ranges do not overlap. The fence is the caller's. */
  copy(to: number, from: number, length: number): void {
    this.#stage(to, from, length)
    this.#copy()
  }

  /** `copy` and the fence in one call. */
  persist(to: number, from: number, length: number): void {
    this.#stage(to, from, length)
    this.#persist()
  }

  /** Gives the code back; the other methods throw from here on. Idempotent. */
  close(): void {
    if (this.#copy === refuse) return
    this.#words = new Uint32Array(3)
    this.#copy = this.#persist = refuse
    this.#page.close()
  }

  #stage(to: number, from: number, length: number): void {
    this.#words[0] = to
    this.#words[1] = from
    this.#words[2] = length >>> 3
  }
}

function refuse(): void {
  throw new ParakernelError('EBADF', 'is closed', { subject: 'streaming copy code' })
}

import { readFileSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { CodePage } from './code-page.ts'
import {
  assembleWriteBack,
  ENTRY_DRAIN,
  ENTRY_FLUSH,
  ENTRY_PERSIST,
  WRITE_BACK_INSTRUCTIONS,
  type WriteBackInstruction,
} from './write-back-code.ts'

/** Bytes of a cache line on x86-64. */
export const CACHE_LINE = 64

/** The best instruction of this processor, or undefined where there is none for user space that is known here (x64 only). */
export function writeBackInstruction(): WriteBackInstruction | undefined {
  if (process.arch !== 'x64') return undefined
  let flags: string
  try {
    flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? ''
  } catch {
    return undefined
  }
  const known = new Set(flags.trim().split(/\s+/))
  return WRITE_BACK_INSTRUCTIONS.find((name) => known.has(name))
}

/** Ranges of one call: what the page of words holds. */
const CAPACITY = 511

/**
 * Writes cache lines back to memory, for one thread: ranges are staged, and one foreign call takes all of them. `clflush`
 * orders itself; the others are ordered, and awaited, by the fence of `drain` and `persist`.
 *
 * Nothing is checked here: a range outside of a mapping ends the process. Nothing is allocated.
 */
export class CacheLineWriteBack {
  readonly instruction: WriteBackInstruction
  readonly #page: CodePage
  #words: Uint32Array
  #staged = 0
  #flush: () => void
  #persist: () => void
  /** Returns when what was flushed has reached the persistence domain. */
  drain: () => void

  /** @param base address that offsets count from, a multiple of 64 */
  constructor(base: number, instruction: WriteBackInstruction) {
    this.instruction = instruction
    this.#page = new CodePage('write-back code', (words) => assembleWriteBack(base, words, instruction))
    this.#words = this.#page.words
    this.#flush = this.#page.bind(ENTRY_FLUSH)
    this.#persist = this.#page.bind(ENTRY_PERSIST)
    this.drain = this.#page.bind(ENTRY_DRAIN)
  }

  /** Takes a range into the next call: at least one byte, and in the first 2 GiB from `base`. */
  stage(offset: number, length: number): void {
    if (this.#staged === CAPACITY) this.flush()
    const first = offset & -CACHE_LINE
    const at = 2 + 2 * this.#staged++
    this.#words[at] = first
    this.#words[at + 1] = ((offset + length - 1 - first) >>> 6) + 1
  }

  /** Starts write-back of the lines that were staged. */
  flush(): void {
    this.#words[0] = this.#staged
    this.#staged = 0
    this.#flush()
  }

  /** `flush` and `drain` in one call. */
  persist(): void {
    this.#words[0] = this.#staged
    this.#staged = 0
    this.#persist()
  }

  /** Gives the code back; every other method throws from here on. Idempotent. */
  close(): void {
    if (this.drain === refuse) return
    this.#words = new Uint32Array(2 + 2 * CAPACITY)
    this.#flush = this.#persist = this.drain = refuse
    this.#page.close()
  }
}

function refuse(): void {
  throw new ParakernelError('EBADF', 'is closed', { subject: 'write-back code' })
}

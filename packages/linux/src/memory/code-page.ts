import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { MAP_ANONYMOUS, MAP_PRIVATE, mmap, PROT_EXEC, PROT_READ } from './mmap.ts'

const PAGE = 4096
const INT3 = 0xcc

/**
 * A page of machine code and, before it, a page of words that the code reads: a foreign call without arguments is the
 * quickest one. The code is written once and then only executed; the words stay writable.
 */
export class CodePage {
  /** The page of words. Not to be used after `close`. */
  readonly words: Uint32Array
  readonly wordsAddress: number
  readonly #codeAddress: number

  /** @param assemble gives the code, which may hold the address of the words as a constant */
  constructor(subject: string, assemble: (wordsAddress: number) => Uint8Array) {
    const address = mmap(0, 2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, subject)
    this.wordsAddress = address
    this.#codeAddress = address + PAGE
    this.words = new Uint32Array(foreign().view(address, PAGE))
    const code = new Uint8Array(foreign().view(this.#codeAddress, PAGE))
    code.fill(INT3)
    code.set(assemble(address))
    const remedy = 'A security module may forbid executable pages; use page granularity'
    try {
      check(calls().mprotect(this.#codeAddress, PAGE, PROT_READ | PROT_EXEC), { call: 'mprotect', subject, remedy })
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The code at `offset` bytes as a function without arguments or result. It follows the C calling convention. */
  bind(offset: number): () => void {
    return foreign().bindAddress(this.#codeAddress + offset, 'void', []) as () => void
  }

  /** Calling what was bound, or touching the words, crashes the process from here on. Once only. */
  close(): void {
    calls().munmap(this.wordsAddress, 2 * PAGE)
  }
}

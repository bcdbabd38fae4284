import type { RegisterWindow } from '@parakernel/hal'
import type { DeviceModel } from '../transport.ts'
import { ALL_ONES, REG_DOORBELLS } from './offsets.ts'

const RUNG = 0
/** Doorbells begin here, away from the word that everybody writes. */
const FIRST = 32
/** A doorbell's word: the value, below a count that tells one ring from the next. */
const VALUE_BITS = 16
const VALUE_MASK = 0xffff

/**
 * Doorbells of queues in other threads, for registers that only the control thread reaches: those of a device model. The holder stores and
 * notifies, the control thread passes on. What hardware does by itself costs a wake-up here.
 */
export class DoorbellRelay {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #seen: Int32Array
  readonly #registers: RegisterWindow
  readonly #model: DeviceModel | undefined
  readonly #now: () => number
  #closed = false

  /** @param now nanoseconds on the model's clock */
  constructor(registers: RegisterWindow, model: DeviceModel | undefined, now: () => number) {
    const doorbells = (registers.byteLength - REG_DOORBELLS) / 4
    this.#registers = registers
    this.#model = model
    this.#now = now
    this.buffer = new SharedArrayBuffer((FIRST + doorbells) * 4)
    this.#words = new Int32Array(this.buffer)
    this.#seen = new Int32Array(FIRST + doorbells)
    void this.#serve()
  }

  /** Queues are about to be made anew: what was rung at these doorbells is not for them. By offsets; all when absent. */
  discard(...offsets: readonly number[]): void {
    const indices =
      offsets.length === 0
        ? Array.from({ length: this.#words.length - FIRST }, (_, i) => FIRST + i)
        : offsets.map((offset) => FIRST + ((offset - REG_DOORBELLS) >>> 2))
    for (const i of indices) this.#seen[i] = Atomics.load(this.#words, i)
  }

  close(): void {
    this.#closed = true
    Atomics.add(this.#words, RUNG, 1)
    Atomics.notify(this.#words, RUNG)
  }

  async #serve(): Promise<void> {
    while (!this.#closed) {
      const rung = Atomics.load(this.#words, RUNG)
      this.#pass()
      this.#model?.run()
      const event = this.#model?.nextEvent() ?? Number.POSITIVE_INFINITY
      const milliseconds = event === Number.POSITIVE_INFINITY ? event : Math.max(0, (event - this.#now()) / 1e6)
      const wait = Atomics.waitAsync(this.#words, RUNG, rung, milliseconds)
      if (wait.async) await wait.value
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #pass(): void {
    for (let i = FIRST; i < this.#words.length; i++) {
      const word = Atomics.load(this.#words, i)
      if (word === this.#seen[i]) continue
      this.#seen[i] = word
      this.#registers.write32(REG_DOORBELLS + 4 * (i - FIRST), word & VALUE_MASK)
    }
  }
}

/** The holder's end. There is nothing but doorbells. */
export class RelayedRegisters implements RegisterWindow {
  readonly byteLength: number
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.byteLength = REG_DOORBELLS + 4 * (this.#words.length - FIRST)
  }

  read32(): number {
    return ALL_ONES
  }

  write32(offset: number, value: number): void {
    const at = FIRST + ((offset - REG_DOORBELLS) >>> 2)
    const count = (this.#words[at] >>> VALUE_BITS) + 1
    Atomics.store(this.#words, at, (count << VALUE_BITS) | value)
    Atomics.add(this.#words, RUNG, 1)
    Atomics.notify(this.#words, RUNG)
  }
}

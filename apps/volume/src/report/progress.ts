import type { Invocation } from '../invocation.ts'

/** ECMA-48 EL: erases to the end of the line. */
const ERASE = '\x1b[K'
/** Milliseconds between two looks, and before the first one: what is done by then needs no line. */
const PERIOD = 250
/** Where nobody watches, milliseconds between two lines. */
const PLAIN_PERIOD = 5000

/** Tells on stderr how far something long is: a line that is written over, or a line now and then where that cannot be. */
export class Progress {
  readonly #stream: NodeJS.WriteStream | undefined
  readonly #live: boolean
  readonly #timer: NodeJS.Timeout | undefined
  #shown = false
  #next = performance.now() + PLAIN_PERIOD

  constructor(tell: () => string, { quiet, terminal }: Invocation) {
    this.#stream = quiet ? undefined : terminal.progress
    this.#live = this.#stream?.isTTY === true && process.env['TERM'] !== 'dumb'
    if (this.#stream !== undefined) this.#timer = setInterval(() => this.#show(tell()), PERIOD)
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#shown) this.#stream?.write(`\r${ERASE}`)
  }

  #show(line: string): void {
    if (this.#live) {
      this.#stream?.write(`\r${line.slice(0, (this.#stream?.columns ?? 80) - 1)}${ERASE}`)
      this.#shown = true
    } else if (performance.now() >= this.#next) {
      this.#next = performance.now() + PLAIN_PERIOD
      this.#stream?.write(`${line}\n`)
    }
  }
}

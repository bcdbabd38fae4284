/** ECMA-48 EL: erases to the end of the line, whatever was there and however wide the terminal has become. */
const ERASE = '\x1b[K'

/** A line that is written over while a run goes on. Where nobody watches, a plain line about every second. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #live: boolean
  #next = 0
  #shown = false

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
    this.#live = stream.isTTY === true && process.env['TERM'] !== 'dumb'
  }

  update(line: string): void {
    if (this.#live) {
      const cut = line.slice(0, (this.#stream.columns ?? 80) - 1)
      this.#stream.write(`\r${cut}${ERASE}`)
      this.#shown = true
      return
    }
    const now = performance.now()
    if (now < this.#next) return
    this.#next = now + 1000
    this.#stream.write(`${line}\n`)
  }

  /** Leaves the line, so that something else can be printed. */
  end(): void {
    if (this.#shown) this.#stream.write(`\r${ERASE}`)
    this.#shown = false
  }
}

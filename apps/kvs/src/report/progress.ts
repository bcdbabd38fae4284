/** A line that is written over while a run goes on. Where nobody watches, a plain line about every second. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #live: boolean
  #next = 0
  #width = 0

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
    this.#live = stream.isTTY === true
  }

  update(line: string): void {
    if (this.#live) {
      const cut = line.slice(0, (this.#stream.columns ?? 80) - 1)
      this.#stream.write(`\r${cut.padEnd(this.#width)}`)
      this.#width = cut.length
      return
    }
    const now = performance.now()
    if (now < this.#next) return
    this.#next = now + 1000
    this.#stream.write(`${line}\n`)
  }

  /** Leaves the line, so that something else can be printed. */
  end(): void {
    if (this.#live && this.#width > 0) this.#stream.write(`\r${' '.repeat(this.#width)}\r`)
    this.#width = 0
  }
}

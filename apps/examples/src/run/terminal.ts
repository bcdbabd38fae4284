import type { Report } from '../end.ts'

/** Where an example's words go: the transcript to the standard output and all else to the standard error, so that it can be kept alone. */
export class Terminal {
  readonly #out: (text: string) => void
  readonly #error: (text: string) => void
  readonly #columns: number
  #isLive = false

  /** @param columns of the terminal that shows what goes to `error`; 0 where there is none */
  constructor(out: (text: string) => void, error: (text: string) => void, columns = 0) {
    this.#out = out
    this.#error = error
    this.#columns = columns
  }

  print(text: string): void {
    this.#clear()
    this.#out(`${text}\n`)
  }

  note(text: string): void {
    this.#clear()
    this.#error(`${text}\n`)
  }

  transcript(end: string, line: string): void {
    this.print(`${end}: ${line}`)
  }

  /** @param from lines before it were printed already */
  report(end: string, { transcript, figures }: Report, from = 0): void {
    for (const line of transcript.slice(from)) this.transcript(end, line)
    for (const [name, value] of Object.entries(figures)) this.note(`  ${end}  ${name}: ${value}`)
  }

  /** A live line, where there is somebody to see it. */
  progress(text: string): void {
    if (this.#columns === 0) return
    this.#clear()
    this.#error(text.slice(0, this.#columns - 1))
    this.#isLive = true
  }

  #clear(): void {
    if (this.#isLive) this.#error('\r\x1b[K')
    this.#isLive = false
  }
}

import { ScriptError } from './script-error.ts'

interface Token {
  readonly text: string
  readonly column: number
}

/** An arrow with its flow stands alone; otherwise `<`, `>`, `,` and `=` end a word. */
const TOKEN = /->|[<>]\??\d*(?=\s|$)|[<>,=]|[^\s,<>=]+/g

/** One line of a script as words, read from left to right. Every complaint names the place, what stands there and what may. */
export class Line {
  readonly file: string
  readonly number: number
  /** Without its comment. */
  readonly text: string
  readonly #tokens: Token[] = []
  #at = 0

  constructor(file: string, number: number, raw: string) {
    this.file = file
    this.number = number
    const comment = raw.search(/(^|\s)#/)
    this.text = comment < 0 ? raw : raw.slice(0, comment)
    for (const match of this.text.matchAll(TOKEN)) this.#tokens.push({ text: match[0], column: match.index + 1 })
  }

  get empty(): boolean {
    return this.#tokens.length === 0
  }

  /** The next word, without taking it; empty at the end. */
  get next(): string {
    return this.#tokens[this.#at]?.text ?? ''
  }

  peek(distance: number): string {
    return this.#tokens[this.#at + distance]?.text ?? ''
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** Takes the next word. */
  take(allowed: string): string {
    if (this.atEnd) throw this.wrong(allowed)
    return this.#tokens[this.#at++].text
  }

  /** Takes the next word if it is this one. */
  accept(word: string): boolean {
    if (this.next !== word || this.atEnd) return false
    this.#at++
    return true
  }

  expect(word: string): void {
    if (!this.accept(word)) throw this.wrong(`'${word}'`)
  }

  /** The rest of the line as it was written. */
  rest(allowed: string): string {
    if (this.atEnd) throw this.wrong(allowed)
    const text = this.text.slice(this.#tokens[this.#at].column - 1).trim()
    this.#at = this.#tokens.length
    return text
  }

  /** Takes a whole number, decimal or with 0x. */
  integer(what: string, min = 0, max = 0xffff_ffff): number {
    const allowed = `${what}, a whole number from ${min} to ${max}`
    if (!/^-?(\d+|0x[\da-f]+)$/i.test(this.next)) throw this.wrong(allowed)
    const value = Number(this.next)
    if (value < min || value > max) throw this.wrong(allowed)
    this.#at++
    return value
  }

  /** Takes one of some words. */
  oneOf<T extends string>(words: readonly T[]): T {
    if (!words.includes(this.next as T)) throw this.wrong(words.join(', '))
    return this.take('') as T
  }

  end(): void {
    if (!this.atEnd) throw this.wrong('the end of the line')
  }

  wrong(allowed: string): ScriptError {
    const token = this.#tokens[this.#at]
    const found = token === undefined ? 'the end of the line' : `'${token.text}'`
    return this.error(`found ${found}; allowed here: ${allowed}`)
  }

  /** A complaint about what stands at the current place. */
  error(message: string): ScriptError {
    return new ScriptError(this.file, this.number, this.#tokens[this.#at]?.column ?? this.text.length + 1, message)
  }
}

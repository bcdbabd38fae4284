import { ParakernelError } from '../errors.ts'
import { checkFilter } from './check.ts'
import {
  expr,
  FILTER_BASES,
  type FilterBase,
  type FilterExpression,
  type FilterField,
  type FilterValue,
} from './expression.ts'
import { FILTER_FIELDS } from './fields.ts'

const COMPARISONS = new Map([
  ['==', expr.eq],
  ['!=', expr.ne],
  ['<', expr.lt],
  ['<=', expr.le],
  ['>', expr.gt],
  ['>=', expr.ge],
])
const ARITHMETIC = new Map([
  ['&', expr.and],
  ['>>', expr.shiftRight],
  ['%', expr.modulo],
])

const TOKEN =
  /\s*(?:(\d+\.\d+\.\d+\.\d+|0x[0-9a-f]+|\d+)|([a-z][a-z0-9]*(?:\.[a-z0-9]+)*)|(==|!=|<=|>=|>>|[<>&%()[\]{},:]))/giy

interface Token {
  readonly kind: 'number' | 'word' | 'sign' | 'end'
  readonly text: string
  readonly at: number
}

/**
 * An expression from its text: the reverse of `formatFilter`, for command lines and configs. Numbers are also written as `0x1f`, and as
 * an IPv4 address; `and` binds closer than `or`.
 *
 *     udp.destinationPort == 53 and not ipv4.source in {10.0.0.1, 10.0.0.2}
 *     payload[0:1] & 0xf == 3 or length(payload) > 100 or has vlan.id or hash(payload[0:8]) % 4 == 1
 *
 * @throws EINVAL with the place and what may stand there
 */
export function parseFilter(text: string): FilterExpression {
  const parser = new Parser(text)
  const expression = parser.expression()
  parser.end()
  checkFilter(expression)
  return expression
}

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = this.#split(text)
  }

  expression(depth = 0): FilterExpression {
    return this.#list('or', expr.any, () => this.#list('and', expr.all, () => this.#term(depth)))
  }

  end(): void {
    if (this.#token.kind !== 'end') this.#fail('and, or, or the end')
  }

  get #token(): Token {
    return this.#tokens[this.#next]
  }

  #list(
    word: 'and' | 'or',
    join: (...of: FilterExpression[]) => FilterExpression,
    part: () => FilterExpression,
  ): FilterExpression {
    const parts = [part()]
    while (this.#takes(word)) parts.push(part())
    return parts.length === 1 ? parts[0] : join(...parts)
  }

  #term(depth: number): FilterExpression {
    // What an expression may be deep is checked at the end; here it is the parser's own stack.
    if (depth > 500) this.#fail('fewer parentheses')
    if (this.#takes('true')) return expr.always
    if (this.#takes('false')) return expr.never
    if (this.#takes('not')) return expr.not(this.#term(depth + 1))
    if (this.#takes('has')) return expr.present(this.#value())
    if (this.#token.text === '(' && !this.#opensValue()) {
      this.#next++
      const inner = this.expression(depth + 1)
      this.#expect(')')
      return inner
    }
    const left = this.#value()
    if (this.#takes('in')) return expr.within(left, this.#set())
    const compare = COMPARISONS.get(this.#token.text)
    if (compare === undefined) this.#fail('==, !=, <, <=, >, >= or in')
    this.#next++
    return compare(left, this.#value())
  }

  /** Whether the parenthesis here holds a value, `(payload[0:1] & 15)`, and not an expression. */
  #opensValue(): boolean {
    let depth = 0
    for (let at = this.#next; at < this.#tokens.length; at++) {
      const { text, kind } = this.#tokens[at]
      if (text === '(') depth++
      else if (text === ')' && --depth === 0) return true
      else if (COMPARISONS.has(text) || (kind === 'word' && WORDS.has(text))) return false
    }
    return false
  }

  #value(): FilterValue {
    let value = this.#primary()
    for (;;) {
      const arithmetic = ARITHMETIC.get(this.#token.text)
      if (arithmetic === undefined) return value
      this.#next++
      value = arithmetic(value, this.#number())
    }
  }

  #primary(): FilterValue {
    const { kind, text } = this.#token
    if (kind === 'number') return { kind: 'number', value: this.#number() }
    if (this.#takes('(')) {
      const value = this.#value()
      this.#expect(')')
      return value
    }
    if (this.#takes('length')) {
      this.#expect('(')
      const base = this.#base()
      this.#expect(')')
      return expr.length(base)
    }
    if (this.#takes('hash')) {
      this.#expect('(')
      const [base, offset, length] = this.#range()
      const seed = this.#takes(',') ? this.#number() : 0
      this.#expect(')')
      return expr.hash(base, offset, length, seed)
    }
    if (Object.hasOwn(FILTER_FIELDS, text)) {
      this.#next++
      return expr.field(text as FilterField)
    }
    if (!FILTER_BASES.includes(text as FilterBase)) this.#fail(VALUES)
    return expr.load(...(this.#range() as [FilterBase, number, 1 | 2 | 4]))
  }

  #base(): FilterBase {
    const { text } = this.#token
    if (!FILTER_BASES.includes(text as FilterBase)) this.#fail(FILTER_BASES.join(', '))
    this.#next++
    return text as FilterBase
  }

  /** `payload[2:4]`: four bytes from the third on. */
  #range(): [base: FilterBase, offset: number, length: number] {
    const base = this.#base()
    this.#expect('[')
    const offset = this.#number()
    this.#expect(':')
    const length = this.#number()
    this.#expect(']')
    return [base, offset, length]
  }

  #set(): number[] {
    this.#expect('{')
    const set: number[] = []
    if (this.#takes('}')) return set
    do set.push(this.#number())
    while (this.#takes(','))
    this.#expect('}')
    return set
  }

  #number(): number {
    const { kind, text } = this.#token
    if (kind !== 'number') this.#fail('a number')
    this.#next++
    if (!text.includes('.')) return Number(text)
    const bytes = text.split('.').map(Number)
    if (bytes.some((byte) => byte > 255)) this.#fail('an IPv4 address', this.#tokens[this.#next - 1])
    return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  }

  #takes(text: string): boolean {
    if (this.#token.text !== text) return false
    this.#next++
    return true
  }

  #expect(text: string): void {
    if (!this.#takes(text)) this.#fail(text)
  }

  #split(text: string): Token[] {
    const tokens: Token[] = []
    const length = text.trimEnd().length
    let at = 0
    while (at < length) {
      TOKEN.lastIndex = at
      const match = TOKEN.exec(text)
      if (match === null) this.#fail('a word, a number or a sign', { kind: 'sign', text: text.slice(at).trim()[0], at })
      const [whole, number, word, sign] = match
      const kind = number !== undefined ? 'number' : word !== undefined ? 'word' : 'sign'
      const found = number ?? word ?? sign
      tokens.push({ kind, text: found, at: at + whole.length - found.length })
      at += whole.length
    }
    return [...tokens, { kind: 'end', text: '', at: length }]
  }

  #fail(allowed: string, { kind, text, at } = this.#token): never {
    const found = kind === 'end' ? 'the end' : JSON.stringify(text)
    throw new ParakernelError('EINVAL', `found ${found} at ${at}, allowed: ${allowed}`, {
      subject: `filter ${JSON.stringify(this.#text)}`,
    })
  }
}

/** Words that are part of an expression and of no value. */
const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'has', 'in', 'true', 'false'])

const VALUES = `a number, ${FILTER_BASES.map((base) => `${base}[offset:width]`).join(', ')}, length(...), hash(...), ${Object.keys(FILTER_FIELDS).join(', ')}`

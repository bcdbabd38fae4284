import { checkFilter } from './check.ts'
import type { FilterBase, FilterExpression, FilterValue } from './expression.ts'
import { FILTER_FIELDS } from './fields.ts'
import { filterHash } from './hash.ts'
import { interpretFilter } from './interpret.ts'
import type { PacketLayout } from './layout.ts'

/** A verdict on the packet that a layout describes; allocates nothing. */
export type CompiledFilter = (bytes: Uint8Array, layout: PacketLayout) => boolean

/** How an expression is run in software, and why. */
export interface SoftwareFilter {
  readonly match: CompiledFilter
  readonly means: 'generated' | 'interpreted'
  /** Of the generated function. */
  readonly source: string | undefined
}

/** Longer sets are looked up in a table; shorter ones compared one by one. */
const SHORT_SET = 8

/**
 * Compiles an expression to a flat JavaScript function; where the process forbids code from strings
 * (`--disallow-code-generation-from-strings`), the expression is interpreted.
 * @throws EINVAL as `checkFilter`
 */
export function compileFilter(expression: FilterExpression): SoftwareFilter {
  checkFilter(expression)
  const generator = new Generator()
  const verdict = generator.expression(expression)
  const source = `${generator.prologue()}return ${verdict}`
  try {
    const make = new Function('hash', 'sets', `return (b, l) => {\n${source}\n}`) as (
      hash: typeof filterHash,
      sets: readonly ReadonlySet<number>[],
    ) => CompiledFilter
    return { match: make(filterHash, generator.sets), means: 'generated', source }
  } catch {
    const match: CompiledFilter = (bytes, layout) => interpretFilter(expression, bytes, layout)
    return { match, means: 'interpreted', source: undefined }
  }
}

const OPERATORS = { eq: '===', ne: '!==', lt: '<', le: '<=', gt: '>', ge: '>=' } as const

/** Everything that goes into the source is a number that was checked, or a name of its own. */
class Generator {
  readonly sets: ReadonlySet<number>[] = []
  #variables = 0
  #used = new Set<string>()

  prologue(): string {
    const reads = [...this.#used].map((name) => `const ${name} = l.${name}\n`).join('')
    const temporaries = Array.from({ length: this.#variables }, (_, i) => `v${i} = 0`)
    return `${reads}${temporaries.length === 0 ? '' : `let ${temporaries.join(', ')}\n`}`
  }

  expression(node: FilterExpression): string {
    switch (node.kind) {
      case 'constant':
        return String(node.value)
      case 'compare': {
        const left = this.#variable()
        const right = this.#variable()
        const values = `(${left} = ${this.#value(node.left)}) >= 0 && (${right} = ${this.#value(node.right)}) >= 0`
        return `(${values} && ${left} ${OPERATORS[node.operation]} ${right})`
      }
      case 'in': {
        if (node.set.length === 0) return 'false'
        const value = this.#variable()
        const is = node.set.length <= SHORT_SET ? this.#short(value, node.set) : this.#long(value, node.set)
        return `((${value} = ${this.#value(node.value)}) >= 0 && ${is})`
      }
      case 'present':
        return `(${this.#value(node.value)} >= 0)`
      case 'all':
        return node.of.length === 0 ? 'true' : `(${node.of.map((one) => this.expression(one)).join(' && ')})`
      case 'any':
        return node.of.length === 0 ? 'false' : `(${node.of.map((one) => this.expression(one)).join(' || ')})`
      case 'not':
        return `!${this.expression(node.of)}`
    }
  }

  #short(value: string, set: readonly number[]): string {
    return `(${set.map((one) => `${value} === ${one}`).join(' || ')})`
  }

  #long(value: string, set: readonly number[]): string {
    this.sets.push(new Set(set))
    return `sets[${this.sets.length - 1}].has(${value})`
  }

  #value(node: FilterValue): string {
    switch (node.kind) {
      case 'number':
        return String(node.value)
      case 'load':
        return this.#load(node.base, node.offset, node.width, [])
      case 'length': {
        const base = this.#use(node.base)
        return `(${base} < 0 ? -1 : ${this.#end(node.base)} > ${base} ? ${this.#end(node.base)} - ${base} : 0)`
      }
      case 'hash': {
        const { base, offset, length, seed } = node
        const absent = `${this.#use(base)} < 0 || ${base} + ${offset + length} > ${this.#end(base)}`
        return `(${absent} ? -1 : hash(b, ${base} + ${offset}, ${length}, ${seed}))`
      }
      case 'arithmetic': {
        const variable = this.#variable()
        const { operation, by } = node
        const result =
          operation === 'and'
            ? `(${variable} & ${by}) >>> 0`
            : operation === 'shiftRight'
              ? `${variable} >>> ${by}`
              : `${variable} % ${by}`
        return `((${variable} = ${this.#value(node.of)}) < 0 ? -1 : ${result})`
      }
      case 'field': {
        const meaning = FILTER_FIELDS[node.name]
        if ('fact' in meaning) return this.#use(meaning.fact)
        const { base, offset, width, shift, mask, version, protocols } = meaning
        const guards: string[] = []
        if (version !== 0) guards.push(`${this.#use('version')} !== ${version}`)
        if (protocols.length > 0) {
          guards.push(`(${protocols.map((one) => `${this.#use('protocol')} !== ${one}`).join(' && ')})`)
        }
        const loaded = this.#load(base, offset, width, guards)
        if (shift === 0 && mask === 2 ** (8 * width) - 1) return loaded
        const variable = this.#variable()
        return `((${variable} = ${loaded}) < 0 ? -1 : (${variable} >>> ${shift}) & ${mask})`
      }
    }
  }

  #load(base: FilterBase, offset: number, width: number, guards: readonly string[]): string {
    const absent = [`${this.#use(base)} < 0`, ...guards, `${base} + ${offset + width} > ${this.#end(base)}`].join(
      ' || ',
    )
    const byte = (i: number) => `b[${base} + ${offset + i}]`
    const bytes =
      width === 1
        ? byte(0)
        : width === 2
          ? `(${byte(0)} << 8) | ${byte(1)}`
          : `((${byte(0)} << 24) | (${byte(1)} << 16) | (${byte(2)} << 8) | ${byte(3)}) >>> 0`
    return `(${absent} ? -1 : ${bytes})`
  }

  #end(base: FilterBase): string {
    return this.#use(base === 'frame' ? 'frameEnd' : 'end')
  }

  #use(name: string): string {
    this.#used.add(name)
    return name
  }

  #variable(): string {
    return `v${this.#variables++}`
  }
}

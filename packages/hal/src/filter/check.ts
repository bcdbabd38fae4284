import { ParakernelError } from '../errors.ts'
import { FILTER_BASES, type FilterExpression, type FilterValue } from './expression.ts'
import { FILTER_FIELDS } from './fields.ts'

/** Bounds of an expression, the same for every back end, so that what one takes all take. */
export const FILTER_MAX_NODES = 4096
export const FILTER_MAX_DEPTH = 64
export const FILTER_MAX_SET = 1024
export const FILTER_MAX_OFFSET = 2047
export const FILTER_MAX_HASH = 64

/**
 * Checks an expression that somebody else may have made: shape, types and bounds.
 * @throws EINVAL naming the part by its path, `all[1].left`
 */
export function checkFilter(expression: FilterExpression): void {
  const budget = { nodes: 0 }
  checkExpression(expression, 'filter', 0, budget)
}

type Unknown = { readonly [key: string]: unknown }

function checkExpression(node: unknown, path: string, depth: number, budget: { nodes: number }): void {
  const expression = node as FilterExpression
  enter(node, path, depth, budget)
  switch (expression.kind) {
    case 'constant':
      if (typeof expression.value !== 'boolean') {
        throw invalid(`${path}.value`, (node as Unknown)['value'], 'true or false')
      }
      return
    case 'compare':
      if (!COMPARISONS.has(expression.operation)) {
        throw invalid(`${path}.operation`, expression.operation, [...COMPARISONS].join(', '))
      }
      checkValue(expression.left, `${path}.left`, depth + 1, budget)
      checkValue(expression.right, `${path}.right`, depth + 1, budget)
      return
    case 'in':
      checkValue(expression.value, `${path}.value`, depth + 1, budget)
      if (!Array.isArray(expression.set) || expression.set.length > FILTER_MAX_SET) {
        throw invalid(`${path}.set`, 'a set', `a list of at most ${FILTER_MAX_SET} numbers`)
      }
      expression.set.forEach((one, i) => {
        number(one, `${path}.set[${i}]`, 0, 0xffff_ffff)
      })
      return
    case 'present':
      checkValue(expression.value, `${path}.value`, depth + 1, budget)
      return
    case 'all':
    case 'any':
      if (!Array.isArray(expression.of)) throw invalid(`${path}.of`, expression.of, 'a list of expressions')
      expression.of.forEach((one, i) => {
        checkExpression(one, `${path}.${expression.kind}[${i}]`, depth + 1, budget)
      })
      return
    case 'not':
      checkExpression(expression.of, `${path}.not`, depth + 1, budget)
      return
    default:
      throw invalid(`${path}.kind`, (node as Unknown)['kind'], 'constant, compare, in, present, all, any or not')
  }
}

const COMPARISONS: ReadonlySet<string> = new Set(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])

function checkValue(node: unknown, path: string, depth: number, budget: { nodes: number }): void {
  const value = node as FilterValue
  enter(node, path, depth, budget)
  switch (value.kind) {
    case 'number':
      number(value.value, `${path}.value`, 0, 0xffff_ffff)
      return
    case 'load':
      base(value.base, `${path}.base`)
      number(value.offset, `${path}.offset`, 0, FILTER_MAX_OFFSET)
      if (![1, 2, 4].includes(value.width)) throw invalid(`${path}.width`, value.width, '1, 2 or 4')
      return
    case 'field':
      if (!Object.hasOwn(FILTER_FIELDS, value.name)) {
        throw invalid(`${path}.name`, value.name, Object.keys(FILTER_FIELDS).join(', '))
      }
      return
    case 'length':
      base(value.base, `${path}.base`)
      return
    case 'hash':
      base(value.base, `${path}.base`)
      number(value.offset, `${path}.offset`, 0, FILTER_MAX_OFFSET)
      number(value.length, `${path}.length`, 1, FILTER_MAX_HASH)
      number(value.seed, `${path}.seed`, 0, 0xffff_ffff)
      return
    case 'arithmetic': {
      const { operation, by } = value
      if (operation === 'and') number(by, `${path}.by`, 0, 0xffff_ffff)
      else if (operation === 'shiftRight') number(by, `${path}.by`, 0, 31)
      else if (operation === 'modulo') number(by, `${path}.by`, 1, 0xffff_ffff)
      else throw invalid(`${path}.operation`, operation, 'and, shiftRight or modulo')
      checkValue(value.of, `${path}.of`, depth + 1, budget)
      return
    }
    default:
      throw invalid(`${path}.kind`, (node as Unknown)['kind'], 'number, load, field, length, hash or arithmetic')
  }
}

function enter(node: unknown, path: string, depth: number, budget: { nodes: number }): void {
  if (typeof node !== 'object' || node === null) throw invalid(path, node, 'an expression')
  if (depth > FILTER_MAX_DEPTH) throw invalid(path, `depth ${depth}`, `at most ${FILTER_MAX_DEPTH} levels`)
  budget.nodes++
  if (budget.nodes > FILTER_MAX_NODES) throw invalid(path, 'one part more', `at most ${FILTER_MAX_NODES} parts in all`)
}

function base(value: unknown, path: string): void {
  if (!FILTER_BASES.includes(value as never)) throw invalid(path, value, FILTER_BASES.join(', '))
}

function number(value: unknown, path: string, min: number, max: number): void {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw invalid(path, value, `an integer from ${min} to ${max}`)
  }
}

function invalid(subject: string, found: unknown, allowed: string): ParakernelError {
  return new ParakernelError('EINVAL', `found ${String(found)}, allowed: ${allowed}`, { subject })
}

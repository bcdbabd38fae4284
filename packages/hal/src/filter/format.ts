import type { FilterExpression, FilterValue } from './expression.ts'

const SIGNS = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' } as const

/** An expression as a line of text, for people. */
export function formatFilter(expression: FilterExpression): string {
  switch (expression.kind) {
    case 'constant':
      return String(expression.value)
    case 'compare':
      return `${formatValue(expression.left)} ${SIGNS[expression.operation]} ${formatValue(expression.right)}`
    case 'in': {
      const shown = expression.set.slice(0, 8).join(', ')
      const more = expression.set.length > 8 ? `, and ${expression.set.length - 8} more` : ''
      return `${formatValue(expression.value)} in {${shown}${more}}`
    }
    case 'present':
      return `has ${formatValue(expression.value)}`
    case 'all':
    case 'any': {
      if (expression.of.length === 0) return String(expression.kind === 'all')
      const word = expression.kind === 'all' ? ' and ' : ' or '
      return expression.of.map(inner).join(word)
    }
    case 'not':
      return `not ${inner(expression.of)}`
  }
}

function inner(expression: FilterExpression): string {
  const text = formatFilter(expression)
  return expression.kind === 'all' || expression.kind === 'any' || expression.kind === 'not' ? `(${text})` : text
}

function formatValue(value: FilterValue): string {
  switch (value.kind) {
    case 'number':
      return String(value.value)
    case 'field':
      return value.name
    case 'load':
      return `${value.base}[${value.offset}:${value.width}]`
    case 'length':
      return `length(${value.base})`
    case 'hash':
      return `hash(${value.base}[${value.offset}:${value.length}]${value.seed === 0 ? '' : `, ${value.seed}`})`
    case 'arithmetic': {
      const sign = { and: '&', shiftRight: '>>', modulo: '%' }[value.operation]
      return `(${formatValue(value.of)} ${sign} ${value.by})`
    }
  }
}

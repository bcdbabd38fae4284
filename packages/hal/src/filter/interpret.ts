import type { FilterExpression, FilterValue } from './expression.ts'
import { FILTER_FIELDS } from './fields.ts'
import { filterHash } from './hash.ts'
import type { PacketLayout } from './layout.ts'

/** The verdict on the packet that `layout` describes: the meaning of the language, which the other back ends are held to. */
export function interpretFilter(expression: FilterExpression, bytes: Uint8Array, layout: PacketLayout): boolean {
  switch (expression.kind) {
    case 'constant':
      return expression.value
    case 'compare': {
      const left = interpretValue(expression.left, bytes, layout)
      const right = interpretValue(expression.right, bytes, layout)
      if (left < 0 || right < 0) return false
      switch (expression.operation) {
        case 'eq':
          return left === right
        case 'ne':
          return left !== right
        case 'lt':
          return left < right
        case 'le':
          return left <= right
        case 'gt':
          return left > right
        case 'ge':
          return left >= right
      }
      break
    }
    case 'in':
      return expression.set.includes(interpretValue(expression.value, bytes, layout))
    case 'present':
      return interpretValue(expression.value, bytes, layout) >= 0
    case 'all':
      return expression.of.every((one) => interpretFilter(one, bytes, layout))
    case 'any':
      return expression.of.some((one) => interpretFilter(one, bytes, layout))
    case 'not':
      return !interpretFilter(expression.of, bytes, layout)
  }
  return false
}

/** An unsigned number of 32 bits, or -1 where it is absent. */
export function interpretValue(value: FilterValue, bytes: Uint8Array, layout: PacketLayout): number {
  switch (value.kind) {
    case 'number':
      return value.value
    case 'load': {
      const at = layout[value.base]
      return at < 0 ? -1 : loadAt(bytes, at + value.offset, value.width, endOf(value.base, layout))
    }
    case 'field':
      return fieldOf(value.name, bytes, layout)
    case 'length': {
      const at = layout[value.base]
      return at < 0 ? -1 : Math.max(0, endOf(value.base, layout) - at)
    }
    case 'hash': {
      const at = layout[value.base]
      if (at < 0 || at + value.offset + value.length > endOf(value.base, layout)) return -1
      return filterHash(bytes, at + value.offset, value.length, value.seed)
    }
    case 'arithmetic': {
      const of = interpretValue(value.of, bytes, layout)
      if (of < 0) return -1
      if (value.operation === 'and') return (of & value.by) >>> 0
      return value.operation === 'shiftRight' ? of >>> value.by : of % value.by
    }
  }
}

function fieldOf(name: keyof typeof FILTER_FIELDS, bytes: Uint8Array, layout: PacketLayout): number {
  const meaning = FILTER_FIELDS[name]
  if ('fact' in meaning) return layout[meaning.fact]
  const { base, offset, width, shift, mask, version, protocols } = meaning
  const at = layout[base]
  if (at < 0 || (version !== 0 && layout.version !== version)) return -1
  if (protocols.length > 0 && !protocols.includes(layout.protocol)) return -1
  const loaded = loadAt(bytes, at + offset, width, endOf(base, layout))
  return loaded < 0 ? -1 : ((loaded >>> shift) & mask) >>> 0
}

/** The frame has its padding, what is in it has not. */
function endOf(base: keyof PacketLayout & string, layout: PacketLayout): number {
  return base === 'frame' ? layout.frameEnd : layout.end
}

function loadAt(bytes: Uint8Array, at: number, width: number, end: number): number {
  if (at + width > end) return -1
  if (width === 1) return bytes[at]
  if (width === 2) return (bytes[at] << 8) | bytes[at + 1]
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

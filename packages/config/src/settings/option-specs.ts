import type { OptionSpec } from '@parakernel/hal'
import { listOf } from '../problems/config-error.ts'

/** What a value may be, in words: `an integer from 1 to 64`. */
export function allowedBy(spec: OptionSpec): string {
  const { type, values, min, max, form, unit } = spec
  switch (type) {
    case 'string':
      if (values !== undefined) return listOf(values.map((value) => JSON.stringify(value)))
      return form === undefined ? 'a string' : `a string like ${JSON.stringify(form.example)}`
    case 'string[]':
      if (values !== undefined) return `a list of ${listOf(values.map((value) => JSON.stringify(value)))}`
      return form === undefined ? 'a list of strings' : `a list of strings like ${JSON.stringify(form.example)}`
    case 'boolean':
      return 'true or false'
    case 'object':
      return 'an object or a list'
    default: {
      const noun =
        unit === 'bytes' ? 'bytes, as a number or like "64MiB",' : type === 'integer' ? 'an integer' : 'a number'
      if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`
      if (min !== undefined) return `${noun} of at least ${min}`
      return max === undefined ? noun : `${noun} of at most ${max}`
    }
  }
}

/** Whether a value has the type of an option at all, whatever its range. */
export function hasType({ type }: OptionSpec, value: unknown): boolean {
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number'
    case 'string[]':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null
    default:
      return typeof value === type
  }
}

export function isAllowed(spec: OptionSpec, value: unknown): boolean {
  const { type, values, min, max, form } = spec
  const text = (item: unknown) =>
    typeof item === 'string' &&
    (values === undefined || values.includes(item)) &&
    (form === undefined || form.pattern.test(item))
  switch (type) {
    case 'string':
      return text(value)
    case 'string[]':
      return Array.isArray(value) && value.every(text)
    case 'boolean':
      return typeof value === 'boolean'
    case 'object':
      return typeof value === 'object' && value !== null
    default:
      return (
        typeof value === 'number' &&
        (type === 'integer' ? Number.isSafeInteger(value) : !Number.isNaN(value)) &&
        value >= (min ?? Number.NEGATIVE_INFINITY) &&
        value <= (max ?? Number.POSITIVE_INFINITY)
      )
  }
}

/**
 * A text of the environment or the command line as the type that the spec wants. What cannot be read so stays the text that it
 * was, for the check to refuse and to show.
 */
export function parseText(spec: OptionSpec, text: string): unknown {
  switch (spec.type) {
    case 'integer':
    case 'number':
      return spec.unit === 'bytes' ? parseByteSize(parseNumber(text)) : parseNumber(text)
    case 'boolean':
      return parseBoolean(text)
    case 'string[]':
      return text.startsWith('[') ? parseJson(text) : parseList(text)
    case 'object':
      return parseJson(text)
    default:
      return text
  }
}

const UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** `64MiB` in bytes; anything else as it is. */
export function parseByteSize(value: unknown): unknown {
  const found = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB|TiB)$/.exec(value.trim()) : null
  return found === null ? value : Number(found[1]) * UNITS[found[2]]
}

export function parseNumber(text: string): number | string {
  const plain = text.replaceAll('_', '')
  return plain.trim() !== '' && Number.isFinite(Number(plain)) ? Number(plain) : text
}

export function parseBoolean(text: string): boolean | string {
  if (/^(true|1|yes|on)$/i.test(text)) return true
  return /^(false|0|no|off)$/i.test(text) ? false : text
}

export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

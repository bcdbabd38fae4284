import { equals, matches } from './equality.ts'

/** Whether a value has a property, and the words for a failure: "expected X to WORDS". */
export interface Verdict {
  readonly pass: boolean
  readonly words: string
}

type Matcher = (actual: unknown, ...expected: never[]) => Verdict

const number =
  (name: string, compare: (a: number, b: number) => boolean) => (actual: unknown, expected: number | bigint) => ({
    pass: (typeof actual === 'number' || typeof actual === 'bigint') && compare(actual as number, expected as number),
    words: `be ${name} ${expected}`,
  })

/** The part of vitest's matchers that suites use. One that is missing fails loudly: it is not a function. */
export const MATCHERS = {
  toBe: (actual: unknown, expected: unknown) => ({ pass: Object.is(actual, expected), words: `be ${show(expected)}` }),
  toEqual: (actual: unknown, expected: unknown) => ({
    pass: equals(actual, expected),
    words: `equal ${show(expected)}`,
  }),
  toMatchObject: (actual: unknown, expected: unknown) => ({
    pass: matches(actual, expected),
    words: `match ${show(expected)}`,
  }),
  toBeDefined: (actual: unknown) => ({ pass: actual !== undefined, words: 'be defined' }),
  toBeUndefined: (actual: unknown) => ({ pass: actual === undefined, words: 'be undefined' }),
  toBeNull: (actual: unknown) => ({ pass: actual === null, words: 'be null' }),
  toBeTruthy: (actual: unknown) => ({ pass: Boolean(actual), words: 'be true' }),
  toBeFalsy: (actual: unknown) => ({ pass: !actual, words: 'be false' }),
  toBeGreaterThan: number('greater than', (a, b) => a > b),
  toBeGreaterThanOrEqual: number('at least', (a, b) => a >= b),
  toBeLessThan: number('less than', (a, b) => a < b),
  toBeLessThanOrEqual: number('at most', (a, b) => a <= b),
  toHaveLength: (actual: unknown, length: number) => ({
    pass: (actual as { length?: number } | undefined)?.length === length,
    words: `have length ${length}, and it has ${(actual as { length?: number } | undefined)?.length}`,
  }),
  toContain: (actual: unknown, item: unknown) => ({
    pass:
      typeof actual === 'string' ? actual.includes(String(item)) : [...(actual as Iterable<unknown>)].includes(item),
    words: `contain ${show(item)}`,
  }),
  toContainEqual: (actual: unknown, item: unknown) => ({
    pass: [...(actual as Iterable<unknown>)].some((one) => equals(one, item)),
    words: `contain ${show(item)}`,
  }),
  toMatch: (actual: unknown, pattern: RegExp | string) => ({
    pass: typeof actual === 'string' && (typeof pattern === 'string' ? actual.includes(pattern) : pattern.test(actual)),
    words: `match ${pattern}`,
  }),
  toBeInstanceOf: (actual: unknown, type: abstract new (...values: never[]) => unknown) => ({
    pass: actual instanceof type,
    words: `be an instance of ${type.name}`,
  }),
  toHaveProperty: (actual: unknown, name: string) => ({
    pass: typeof actual === 'object' && actual !== null && name in actual,
    words: `have the property ${name}`,
  }),
} as const satisfies Record<string, Matcher>

/** Whether a thrown value is what `toThrow` asks for: a part of the message, a pattern, a class, or properties. */
export function isThrown(error: unknown, expected: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error)
  if (expected === undefined) return true
  if (typeof expected === 'string') return message.includes(expected)
  if (expected instanceof RegExp) return expected.test(message)
  if (typeof expected === 'function') return error instanceof (expected as new () => unknown)
  return matches(error, expected)
}

export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `function ${value.name}`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`
  try {
    const text = JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? String(value)
    return text.length > 400 ? `${text.slice(0, 400)}...` : text
  } catch {
    return String(value)
  }
}

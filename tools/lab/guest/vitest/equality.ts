/** What `expect.objectContaining` and its like make: it stands for any value that it matches. */
export interface Asymmetric {
  readonly asymmetricMatch: (value: unknown) => boolean
}

export function isAsymmetric(value: unknown): value is Asymmetric {
  return typeof value === 'object' && value !== null && 'asymmetricMatch' in value
}

/** Deep equality by the rules of `toEqual`: a property that is undefined counts as absent; types of objects are not compared. */
export function equals(actual: unknown, expected: unknown): boolean {
  if (isAsymmetric(expected)) return expected.asymmetricMatch(actual)
  if (Object.is(actual, expected)) return true
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null) return false
  if (ArrayBuffer.isView(actual) || ArrayBuffer.isView(expected)) return sameViews(actual, expected)
  if (Array.isArray(actual) !== Array.isArray(expected)) return false
  if (actual instanceof Error && expected instanceof Error && actual.message !== expected.message) return false
  if (actual instanceof Map || actual instanceof Set || expected instanceof Map || expected instanceof Set) {
    if (actual.constructor !== expected.constructor) return false
    return equals([...(actual as Set<unknown>)], [...(expected as Set<unknown>)])
  }
  const left = actual as Record<string, unknown>
  const right = expected as Record<string, unknown>
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  for (const key of keys) if (!equals(left[key], right[key])) return false
  return true
}

/** By the rules of `toMatchObject`: every property of `expected` is in `actual`, and nested ones likewise. */
export function matches(actual: unknown, expected: unknown): boolean {
  if (isAsymmetric(expected) || typeof expected !== 'object' || expected === null) return equals(actual, expected)
  if (typeof actual !== 'object' || actual === null) return false
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) && actual.length === expected.length && expected.every((one, i) => matches(actual[i], one))
    )
  }
  if (Object.getPrototypeOf(expected) !== Object.prototype) return equals(actual, expected)
  return Object.entries(expected).every(([key, value]) => matches((actual as Record<string, unknown>)[key], value))
}

function sameViews(a: unknown, b: unknown): boolean {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return false
  if (a.byteLength !== b.byteLength) return false
  const bytes = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  return Buffer.compare(bytes(a), bytes(b)) === 0
}

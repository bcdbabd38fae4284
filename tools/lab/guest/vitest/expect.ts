import { equals, matches } from './equality.ts'
import { isThrown, MATCHERS, show, type Verdict } from './matchers.ts'

type Assertion = { [K in keyof typeof MATCHERS]: (...expected: unknown[]) => void } & {
  toThrow(expected?: unknown): void
  not: Assertion
}
type Promised = { [K in keyof typeof MATCHERS | 'toThrow']: (...expected: unknown[]) => Promise<void> }

/** `expect(value)`, with `not`, `resolves` and `rejects`. */
export function expect(actual: unknown, message?: string): Assertion & { resolves: Promised; rejects: Promised } {
  return Object.assign(assertion(actual, message, false), {
    not: assertion(actual, message, true),
    resolves: promised(async () => assertion(await actual, message, false)),
    rejects: promised(async () => {
      try {
        await actual
      } catch (error) {
        // What `toThrow` looks at is thrown once more; the others look at the value.
        return {
          ...assertion(error, message, false),
          toThrow: (wanted: unknown) => judge(thrown(error, wanted), 'the promise', false, message),
        }
      }
      throw new Error(
        `${message === undefined ? '' : `${message}: `}the promise was kept, and should have been rejected`,
      )
    }),
  }) as never
}

expect.objectContaining = (expected: object) => ({ asymmetricMatch: (value: unknown) => matches(value, expected) })
expect.arrayContaining = (expected: readonly unknown[]) => ({
  asymmetricMatch: (value: unknown) =>
    Array.isArray(value) && expected.every((one) => value.some((other) => equals(other, one))),
})
expect.stringContaining = (part: string) => ({ asymmetricMatch: (value: unknown) => String(value).includes(part) })
expect.stringMatching = (pattern: RegExp) => ({ asymmetricMatch: (value: unknown) => pattern.test(String(value)) })
expect.anything = () => ({ asymmetricMatch: (value: unknown) => value !== undefined && value !== null })
expect.any = (type: { readonly name: string }) => ({
  asymmetricMatch: (value: unknown) => typeof value === type.name.toLowerCase() || Object(value).constructor === type,
})
expect.fail = (message: string): never => {
  throw new Error(message)
}
expect.unreachable = (message = 'this must not be reached'): never => expect.fail(message)

function assertion(actual: unknown, message: string | undefined, negated: boolean): Assertion {
  const table: Record<string, unknown> = {
    toThrow: (wanted?: unknown) => {
      let verdict: Verdict = { pass: false, words: 'throw' }
      try {
        ;(actual as () => unknown)()
      } catch (error) {
        verdict = thrown(error, wanted)
      }
      judge(verdict, 'the function', negated, message)
    },
  }
  for (const [name, matcher] of Object.entries(MATCHERS)) {
    table[name] = (...expected: never[]) => {
      const apply = matcher as (actual: unknown, ...expected: never[]) => Verdict
      judge(apply(actual, ...expected), show(actual), negated, message)
    }
  }
  table['toStrictEqual'] = table['toEqual']
  table['toThrowError'] = table['toThrow']
  return table as unknown as Assertion
}

function thrown(error: unknown, wanted: unknown): Verdict {
  return {
    pass: isThrown(error, wanted),
    words: `throw ${wanted === undefined ? '' : show(wanted)}, and it threw ${show(error)}`,
  }
}

function judge({ pass, words }: Verdict, subject: string, negated: boolean, message: string | undefined): void {
  if (pass !== negated) return
  throw new Error(
    `${message === undefined ? '' : `${message}: `}expected ${subject} ${negated ? 'not ' : ''}to ${words}`,
  )
}

/** Every matcher, behind a promise that is awaited first. */
function promised(open: () => Promise<object>): Promised {
  const names = [...Object.keys(MATCHERS), 'toThrow', 'toThrowError', 'toStrictEqual']
  return Object.fromEntries(
    names.map((name) => [
      name,
      async (...expected: unknown[]) =>
        ((await open()) as Record<string, (...values: unknown[]) => void>)[name]!(...expected),
    ]),
  ) as unknown as Promised
}

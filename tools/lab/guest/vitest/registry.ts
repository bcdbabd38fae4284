/** What `test` and `describe` registered, as a tree. */
export interface Suite {
  readonly name: string
  readonly parent: Suite | undefined
  readonly entries: (Suite | Test)[]
  readonly hooks: Record<'beforeAll' | 'afterAll' | 'beforeEach' | 'afterEach', Hook[]>
}

export interface Test {
  readonly name: string
  readonly suite: Suite
  readonly run: (context: TestContext) => unknown
  readonly timeout: number
  /** Why it does not run, if so. */
  readonly skipped: string | undefined
}

export type Hook = () => unknown

export interface TestContext {
  readonly task: { readonly name: string }
  /** Ends the test as skipped. */
  skip(note?: string): never
  /** Runs when the test has ended, last first. */
  onTestFinished(hook: Hook): void
}

const TIMEOUT = 30_000
/** Emulated instructions take 20 times as long, and the host may be busy: what tests ask for is stretched. */
const STRETCH = 3

function suite(name: string, parent: Suite | undefined): Suite {
  return { name, parent, entries: [], hooks: { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] } }
}

export const root = suite('', undefined)
let current = root

export function isSuite(entry: Suite | Test): entry is Suite {
  return 'entries' in entry
}

/** Names from the outermost suite inwards, with spaces between: what vitest calls the full name. */
export function fullName({ name, suite }: Test): string {
  const names = [name]
  for (let at: Suite | undefined = suite; at !== undefined && at.parent !== undefined; at = at.parent)
    names.unshift(at.name)
  return names.join(' ')
}

type Body = (context: TestContext) => unknown
type Options = number | { readonly timeout?: number }

function add(
  name: string,
  second: Body | Options | undefined,
  third: Body | Options | undefined,
  skipped?: string,
): void {
  const run = typeof second === 'function' ? second : (third as Body)
  const options = (typeof second === 'function' ? third : second) as Options | undefined
  const timeout = STRETCH * ((typeof options === 'number' ? options : options?.timeout) ?? TIMEOUT)
  current.entries.push({ name, suite: current, run, timeout, skipped })
}

export function test(name: string, second?: Body | Options, third?: Body | Options): void {
  add(name, second, third)
}
test.skip = (name: string, second?: Body | Options, third?: Body | Options): void =>
  add(name, second, third, 'test.skip')
test.skipIf = (condition: unknown) => (condition ? test.skip : test)
test.each =
  <T>(rows: readonly T[]) =>
  (name: string, body: (...row: T extends readonly unknown[] ? T : [T]) => unknown): void => {
    for (const row of rows) {
      const values = (Array.isArray(row) ? row : [row]) as T extends readonly unknown[] ? T : [T]
      let next = 0
      add(
        name.replace(/%[sdioj]/g, () => String(values[next++])),
        () => body(...values),
        undefined,
      )
    }
  }

export function describe(name: string, body: () => void): void {
  const child = suite(name, current)
  current.entries.push(child)
  current = child
  try {
    body()
  } finally {
    current = child.parent as Suite
  }
}

const hook = (kind: keyof Suite['hooks']) => (body: Hook) => {
  current.hooks[kind].push(body)
}
export const beforeAll: (body: Hook) => void = hook('beforeAll')
export const afterAll: (body: Hook) => void = hook('afterAll')
export const beforeEach: (body: Hook) => void = hook('beforeEach')
export const afterEach: (body: Hook) => void = hook('afterEach')

import { fullName, type Hook, isSuite, root, type Suite, type Test, type TestContext } from './registry.ts'

class Skipped extends Error {}

class Late extends Error {}

interface Outcome {
  readonly state: 'passed' | 'failed' | 'skipped'
  readonly note?: string
  /** It goes on, and would get in the way of others. */
  readonly late?: boolean
}

/** All tests, in the order in which they run. */
export function listTests(suite: Suite = root): Test[] {
  return suite.entries.flatMap((entry) => (isSuite(entry) ? listTests(entry) : [entry]))
}

/**
 * Runs everything that was registered, one after the other, and prints it as TAP 14 while it goes. Returns the number of tests
 * that failed.
 */
export async function runTests(print: (line: string) => void, match = ''): Promise<number> {
  const words = match.split('|')
  const chosen = new Set(listTests().filter((test) => words.some((word) => fullName(test).includes(word))))
  print('TAP version 14')
  print(`1..${chosen.size}`)
  let number = 0
  let failed = 0
  const report = (test: Test, { state, note = '' }: Outcome, milliseconds: number) => {
    if (state === 'failed') failed++
    const skip = state === 'skipped' ? ` # SKIP ${note.replaceAll('\n', ' ')}` : ''
    print(`${state === 'failed' ? 'not ok' : 'ok'} ${++number} - ${escapeTap(fullName(test))}${skip}`)
    print('  ---')
    print(`  duration_ms: ${milliseconds.toFixed(1)}`)
    if (state === 'failed') {
      print('  message: |')
      for (const line of note.split('\n')) print(`    ${line}`)
    }
    print('  ...')
  }
  /** Why the rest of a file's suite is not run. */
  let stuck: Outcome | undefined
  const runSuite = async (suite: Suite): Promise<void> => {
    if (suite.parent === root) stuck = undefined
    const own = listTests(suite).filter((test) => chosen.has(test))
    if (own.length === 0) return
    const broken = await attempt(() => inOrder(suite.hooks.beforeAll), 60_000)
    for (const entry of suite.entries) {
      if (isSuite(entry) && broken === undefined) await runSuite(entry)
      else if (isSuite(entry)) for (const test of listTests(entry)) chosen.has(test) && report(test, broken!, 0)
      else if (chosen.has(entry)) {
        const started = performance.now()
        const outcome = broken ?? stuck ?? (await runTest(entry))
        if (outcome.late === true) stuck = { state: 'failed', note: `not run: '${entry.name}' has not ended` }
        report(entry, outcome, performance.now() - started)
      }
    }
    const after = await attempt(() => inOrder(suite.hooks.afterAll), 60_000)
    // A suite that cannot clean up has not passed; there is no test of its own to say so.
    if (after?.state === 'failed') {
      failed++
      print(`# afterAll of '${suite.name}' failed: ${after.note?.replaceAll('\n', '\n# ')}`)
    }
  }
  await runSuite(root)
  return failed
}

async function runTest(test: Test): Promise<Outcome> {
  if (test.skipped !== undefined) return { state: 'skipped', note: test.skipped }
  const finished: Hook[] = []
  const context: TestContext = {
    task: { name: test.name },
    skip(note) {
      throw new Skipped(note ?? 'no reason given')
    },
    onTestFinished: (hook) => finished.unshift(hook),
  }
  const suites: Suite[] = []
  for (let at: Suite | undefined = test.suite; at !== undefined; at = at.parent) suites.unshift(at)
  const outcome = await attempt(async () => {
    for (const suite of suites) await inOrder(suite.hooks.beforeEach)
    await test.run(context)
  }, test.timeout)
  const after = await attempt(async () => {
    await inOrder(finished)
    for (const suite of suites.toReversed()) await inOrder(suite.hooks.afterEach)
  }, test.timeout)
  return outcome ?? after ?? { state: 'passed' }
}

async function inOrder(hooks: readonly Hook[]): Promise<void> {
  for (const hook of hooks) await hook()
}

/** Undefined when it went well. */
async function attempt(body: () => unknown, timeout: number): Promise<Outcome | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`took longer than ${timeout} ms`)), timeout)
  })
  try {
    await Promise.race([(async () => body())(), late])
    return undefined
  } catch (error) {
    if (error instanceof Skipped) return { state: 'skipped', note: error.message }
    return { state: 'failed', note: describeError(error), late: error instanceof Late }
  } finally {
    clearTimeout(timer)
  }
}

/** With the part of the stack that is not the runner's own. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const lines = (error.stack ?? error.message).split('\n')
  return lines.filter((line) => !/node_modules\/vitest\/|\/run\.js:/.test(line)).join('\n')
}

/** `#` begins a directive in TAP. */
function escapeTap(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll('#', '\\#').replaceAll('\n', ' ')
}

import type { TestModule } from 'vitest/node'

/** What is left of a module whose process ended, or never began: some of its tests have no outcome. */
export const unfinished = (module: TestModule) => module.state() === 'pending' || module.state() === 'queued'

/**
 * Prints why tests were skipped, which ones needed a second attempt, what failed, and then the one line that CI reads:
 * `N passed, N failed, N skipped`. Errors that belong to no test count as failures. Returns the number of failures.
 */
export function printSummary(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): number {
  let passed = 0
  const failures = unhandledErrors.map((error) => `outside of any test: ${messageOf(error)}`)
  const skipped = new Map<string, string[]>()
  const repeated: string[] = []
  for (const module of modules) {
    const before = failures.length
    for (const test of module.children.allTests()) {
      const name = `${module.project.name}: ${test.fullName}`
      const result = test.result()
      if (result.state === 'passed') {
        passed++
        if ((test.diagnostic()?.retryCount ?? 0) > 0) repeated.push(name)
      } else if (result.state === 'failed') failures.push(name)
      else if (result.state === 'pending') failures.push(`${name} (never ended)`)
      else {
        const reason = result.note ?? 'no reason given'
        const names = skipped.get(reason) ?? []
        names.push(name)
        skipped.set(reason, names)
      }
    }
    // A module that does not load has no tests at all, and a hook that fails belongs to none: neither may pass for that.
    const clean = module.ok() && !unfinished(module)
    if (!clean && failures.length === before) {
      failures.push(`${module.project.name}: ${module.relativeModuleId} (not a test of it, the file itself)`)
    }
  }
  let total = 0
  for (const [reason, names] of skipped) {
    total += names.length
    console.log(`skipped ${names.length}, because ${reason}: ${names[0]}${names.length > 1 ? ', and others' : ''}`)
  }
  for (const name of repeated) console.log(`passed at the second attempt: ${name}`)
  for (const name of failures) console.log(`failed: ${name}`)
  console.log(`\n${passed} passed, ${failures.length} failed, ${total} skipped`)
  return failures.length
}

/** With the causes: the pool names the file and the signal only there. */
export function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error)
  const cause = 'cause' in error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : ''
  return `${String(error.message)}${cause}`
}

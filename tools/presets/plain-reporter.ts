import type { Reporter, TestModule } from 'vitest/node'

/** Prints each skipped test with its reason, then the one line that CI reads: `N passed, N failed, N skipped`. */
export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    let passed = 0
    let failed = 0
    let skipped = 0
    for (const module of modules) {
      const before = failed
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') passed++
        else if (result.state === 'failed') failed++
        else {
          skipped++
          const note = 'note' in result && result.note ? result.note : 'no reason given'
          console.log(`skipped: ${test.fullName} (${note})`)
        }
      }
      // A module that does not load has no tests at all, and must not pass for that.
      if (!module.ok() && failed === before) failed++
    }
    console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
  }
}

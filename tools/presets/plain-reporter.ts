import type { Reporter, TestModule } from 'vitest/node'

/** Prints why tests were skipped, which ones needed a second attempt, and then the one line that CI reads: `N passed, N failed, N skipped`. */
export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    let passed = 0
    let failed = 0
    const skipped = new Map<string, string[]>()
    const repeated: string[] = []
    for (const module of modules) {
      const before = failed
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') {
          passed++
          if ((test.diagnostic()?.retryCount ?? 0) > 0) repeated.push(`${module.project.name}: ${test.fullName}`)
        } else if (result.state === 'failed') failed++
        else {
          const reason = ('note' in result && result.note) || 'no reason given'
          const names = skipped.get(reason) ?? []
          names.push(`${module.project.name}: ${test.fullName}`)
          skipped.set(reason, names)
        }
      }
      // A module that does not load has no tests at all, and must not pass for that.
      if (!module.ok() && failed === before) failed++
    }
    let total = 0
    for (const [reason, names] of skipped) {
      total += names.length
      console.log(`skipped ${names.length}, because ${reason}: ${names[0]}${names.length > 1 ? ', and others' : ''}`)
    }
    for (const name of repeated) console.log(`passed at the second attempt: ${name}`)
    console.log(`\n${passed} passed, ${failed} failed, ${total} skipped`)
  }
}

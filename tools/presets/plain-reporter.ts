import type { Reporter, SerializedError, TestModule } from 'vitest/node'
import { printSummary } from './summary.ts'

export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    printSummary(modules, unhandledErrors)
  }
}

import type { TestContext } from 'vitest'
import { type Capability, foreign, missingCapabilities, probeLab } from '../src/index.ts'

/** Skips the test, with the reason, on a machine without foreign calls or without the capabilities. */
export function requires(context: TestContext, ...capabilities: Capability[]): void {
  try {
    foreign()
  } catch (error) {
    context.skip((error as Error).message)
  }
  const missing = missingCapabilities(...capabilities)
  if (missing.length > 0) context.skip(`needs ${missing.join(', ')}`)
}

/** Skips the test on a machine that cannot build namespaces. */
export function requiresLab(context: TestContext): void {
  const lab = probeLab()
  if (!lab.available) context.skip(`needs ${lab.missing}`)
}

import { afterAll, describe, expect, test } from 'vitest'
import type { Case, Group } from './case.ts'
import { groups } from './cases/index.ts'
import type { ConformanceOptions } from './fixture.ts'
import { closeFixture, type Opened, openFixture, runCase } from './run-case.ts'

/**
 * Registers the whole suite with vitest, under the name of the implementation. Call it at the top level of a test file.
 *
 * Cases share a fixture; one that ends the device, one that uses workers, and the one after a failure get their own.
 */
export function netDeviceConformance(options: ConformanceOptions): void {
  const { name, skip = {} } = options
  let shared: Opened | undefined

  const closeShared = async () => {
    const opened = shared
    shared = undefined
    if (opened !== undefined) await closeFixture(opened)
  }

  const run = async (one: Case): Promise<string | undefined> => {
    if (one.ends === true || one.workers === true) {
      const opened = await openFixture(options, one.workers === true)
      try {
        return await runCase(one, opened, options)
      } finally {
        await closeFixture(opened)
      }
    }
    if (shared === undefined) shared = await openFixture(options, false)
    try {
      return await runCase(one, shared, options)
    } catch (error) {
      await closeShared()
      throw error
    }
  }

  describe(`${name}: net device conformance`, () => {
    afterAll(closeShared)
    for (const group of groups) {
      describe(group.name, () => {
        for (const one of group.cases) {
          test(one.title, { timeout: one.timeout ?? 30_000 }, async (context) => {
            const reason = skip[`${group.name}: ${one.title}`] ?? (await run(one))
            if (reason !== undefined) context.skip(reason)
          })
        }
      })
    }
    test('every skip names a case of the suite', () => {
      expect(titles(groups)).toEqual(expect.arrayContaining(Object.keys(skip)))
    })
  })
}

/** The titles by which `skip` names cases. */
export function titles(list: readonly Group[] = groups): string[] {
  return list.flatMap((group) => group.cases.map((one) => `${group.name}: ${one.title}`))
}

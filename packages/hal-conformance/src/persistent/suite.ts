import type { PersistentDevice } from '@parakernel/hal'
import { afterAll, describe, expect, test } from 'vitest'
import type { PersistentCase, PersistentGroup } from './case.ts'
import { persistentGroups } from './cases/index.ts'
import type { PersistentConformanceOptions, PersistentFixture } from './fixture.ts'
import { PersistentSession } from './session.ts'

interface Opened {
  readonly fixture: PersistentFixture
  readonly device: PersistentDevice
}

async function open({ setup, decorate }: PersistentConformanceOptions, workers: boolean): Promise<Opened> {
  const fixture = await setup({ workers })
  return { fixture, device: decorate?.(fixture.device) ?? fixture.device }
}

async function close({ fixture, device }: Opened): Promise<void> {
  if (device !== fixture.device) await device.close()
  await fixture.close()
}

/** Runs one case. Answers the reason why it does not apply. @throws what it found wrong */
export async function runPersistentCase(
  one: PersistentCase,
  { fixture, device }: Opened,
  options: PersistentConformanceOptions,
): Promise<string | undefined> {
  const reason = one.unless?.(fixture)
  if (reason !== undefined) return reason
  const session = new PersistentSession(fixture, device, options)
  try {
    const late = await one.run(session)
    return typeof late === 'string' ? late : undefined
  } finally {
    await session.finish()
  }
}

/**
 * Registers the suite for persistent memory with vitest, under the name of the implementation. Call it at the top level of a test file.
 * Cases share a fixture; one that ends the device, one that uses workers, and the one after a failure get their own.
 */
export function persistentDeviceConformance(options: PersistentConformanceOptions): void {
  const { name, skip = {} } = options
  let shared: Opened | undefined

  const closeShared = async () => {
    const opened = shared
    shared = undefined
    if (opened !== undefined) await close(opened)
  }

  const run = async (one: PersistentCase): Promise<string | undefined> => {
    if (one.ends === true || one.workers === true) {
      await closeShared()
      const opened = await open(options, one.workers === true)
      try {
        return await runPersistentCase(one, opened, options)
      } finally {
        await close(opened)
      }
    }
    shared ??= await open(options, false)
    try {
      return await runPersistentCase(one, shared, options)
    } catch (error) {
      await closeShared()
      throw error
    }
  }

  describe(`${name}: persistent memory conformance`, () => {
    afterAll(closeShared)
    for (const group of persistentGroups) {
      describe(group.name, () => {
        for (const one of group.cases) {
          test(one.title, { timeout: 30_000 }, async (context) => {
            const reason = skip[`${group.name}: ${one.title}`] ?? (await run(one))
            if (reason !== undefined) context.skip(reason)
          })
        }
      })
    }
    test('every skip names a case of the suite', () => {
      expect(persistentTitles()).toEqual(expect.arrayContaining(Object.keys(skip)))
    })
  })
}

/** The titles by which `skip` names cases. */
export function persistentTitles(list: readonly PersistentGroup[] = persistentGroups): string[] {
  return list.flatMap((group) => group.cases.map((one) => `${group.name}: ${one.title}`))
}

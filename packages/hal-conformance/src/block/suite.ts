import type { BlockDevice } from '@parakernel/hal'
import { afterAll, describe, expect, test } from 'vitest'
import type { BlockCase, BlockGroup } from './case.ts'
import { blockGroups } from './cases/index.ts'
import type { BlockConformanceOptions, BlockFixture } from './fixture.ts'
import { BlockSession } from './session.ts'
import { BlockWorker } from './worker-holder.ts'

/** A fixture that is open, with its device as the suite sees it. */
export interface OpenedBlock {
  readonly fixture: BlockFixture
  readonly device: BlockDevice
}

export async function openBlock({ setup, decorate }: BlockConformanceOptions, workers: boolean): Promise<OpenedBlock> {
  const fixture = await setup({ workers })
  return { fixture, device: decorate?.(fixture.device, fixture.context) ?? fixture.device }
}

export async function closeBlock({ fixture, device }: OpenedBlock): Promise<void> {
  if (device !== fixture.device) await device.close()
  await fixture.close()
}

/** The fixture with the decorated device in place of its own: its capabilities are what counts. */
function seenBySuite({ fixture, device }: OpenedBlock): BlockFixture {
  if (device === fixture.device) return fixture
  return Object.create(fixture, { device: { value: device } }) as BlockFixture
}

/** Runs one case, then checks that every frame came back. Answers the reason why it does not apply. @throws what it found wrong */
export async function runBlockCase(
  one: BlockCase,
  opened: OpenedBlock,
  options: BlockConformanceOptions,
): Promise<string | undefined> {
  const reason = one.unless?.(seenBySuite(opened))
  if (reason !== undefined) return reason
  const session = new BlockSession(opened.fixture, opened.device, options)
  try {
    const late = await one.run(session)
    await session.finish()
    return typeof late === 'string' ? late : undefined
  } catch (error) {
    await session.finish().catch(() => {})
    throw error
  }
}

/**
 * Registers the suite for block devices with vitest, under the name of the implementation. Call it at the top level of a test file.
 * Cases share a fixture; one that ends the device, one that uses workers, and the one after a failure get their own.
 */
export function blockDeviceConformance(options: BlockConformanceOptions): void {
  const { name, skip = {} } = options
  let shared: OpenedBlock | undefined

  const closeShared = async () => {
    const opened = shared
    shared = undefined
    if (opened !== undefined) await closeBlock(opened)
  }

  const run = async (one: BlockCase): Promise<string | undefined> => {
    if (one.ends === true || one.workers === true) {
      // Real devices have one opener at a time.
      await closeShared()
      const opened = await openBlock(options, one.workers === true)
      try {
        return await runBlockCase(one, opened, options)
      } finally {
        await closeBlock(opened)
      }
    }
    shared ??= await openBlock(options, false)
    try {
      return await runBlockCase(one, shared, options)
    } catch (error) {
      await closeShared()
      throw error
    }
  }

  describe(`${name}: block device conformance`, () => {
    afterAll(async () => {
      await closeShared()
      await BlockWorker.terminateIdle()
    })
    for (const group of blockGroups) {
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
      expect(blockTitles()).toEqual(expect.arrayContaining(Object.keys(skip)))
    })
  })
}

/** The titles by which `skip` names cases. */
export function blockTitles(list: readonly BlockGroup[] = blockGroups): string[] {
  return list.flatMap((group) => group.cases.map((one) => `${group.name}: ${one.title}`))
}

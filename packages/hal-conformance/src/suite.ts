import { afterAll, describe, expect, test } from 'vitest'
import type { Case, Group } from './case.ts'
import { groups } from './cases/index.ts'
import type { ConformanceOptions, Fixture } from './fixture.ts'
import { Session } from './session.ts'

/**
 * Registers the whole suite with vitest, under the name of the implementation. Call it at the top level of a test file.
 *
 * Cases share a fixture; one that ends the device, one that uses workers, and the one after a failure get their own.
 */
export function netDeviceConformance(options: ConformanceOptions): void {
  const { name, setup, decorate, skip = {}, seed = 1, rounds } = options

  const open = async (workers: boolean) => {
    const fixture = await setup({ workers })
    const device = decorate?.(fixture.device, fixture.context) ?? fixture.device
    return { fixture, device, session: () => new Session(fixture, device, seed, rounds) }
  }
  const close = async (opened: { fixture: Fixture; device: { close(): Promise<void> } } | undefined) => {
    if (opened === undefined) return
    if (opened.device !== opened.fixture.device) await opened.device.close()
    await opened.fixture.close()
  }
  let current: Awaited<ReturnType<typeof open>> | undefined

  const run = async (one: Case, note: (reason: string) => never) => {
    const own = one.ends === true || one.workers === true
    if (!own && current === undefined) current = await open(false)
    const opened = own || current === undefined ? await open(one.workers === true) : current
    let failed = true
    let session: Session | undefined
    try {
      const reason = one.unless?.(opened.fixture)
      if (reason !== undefined) {
        failed = false
        note(reason)
      }
      session = opened.session()
      const late = await one.run(session)
      await session.finish()
      session = undefined
      failed = false
      if (typeof late === 'string') note(late)
    } finally {
      // A case that failed half way has left grants behind; its own error is the one to report.
      await session?.finish().catch(() => {})
      if (own || failed) {
        if (!own) current = undefined
        await close(opened)
      }
    }
  }

  describe(`${name}: net device conformance`, () => {
    afterAll(() => close(current))
    for (const group of groups) {
      describe(group.name, () => {
        for (const one of group.cases) {
          const title = `${group.name}: ${one.title}`
          test(one.title, { timeout: one.timeout ?? 30_000 }, async (context) => {
            const reason = skip[title]
            if (reason !== undefined) context.skip(reason)
            await run(one, (why) => context.skip(why))
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

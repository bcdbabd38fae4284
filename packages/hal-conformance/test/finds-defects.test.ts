import { describe, expect, test } from 'vitest'
import { type Fixture, groups } from '../src/index.ts'
import { closeFixture, openFixture, runCase } from '../src/run-case.ts'
import { fixtureOf, loopbackFixture } from './loopback/fixture.ts'
import { choiceNames, defectNames, VariantDevice } from './loopback/variant-backend.ts'

/** The cases that need no worker, of the groups that concern a queue without offloads. */
const cases = groups
  .filter(({ name }) => ['life cycle', 'traffic', 'descriptors', 'pressure', 'wake-ups', 'statistics'].includes(name))
  .flatMap((group) => group.cases.filter(({ workers }) => workers !== true))

describe('the suite finds a queue that', () => {
  test.each(defectNames)('%s', { timeout: 60_000 }, async (defect) => {
    const options = {
      name: defect,
      setup: () => fixtureOf(new VariantDevice(defect)),
      patience: 150,
      rounds: 5,
    }
    const found: string[] = []
    for (const one of cases) {
      const opened = await openFixture(options, false)
      await runCase(one, opened, options).catch(() => found.push(one.title))
      await closeFixture(opened)
      if (found.length === 2) break
    }
    expect(found).not.toEqual([])
  })
})

describe('and finds nothing in one that', () => {
  const sound: readonly (readonly [name: string, setup: () => Fixture | Promise<Fixture>])[] = [
    ['has no defect', () => loopbackFixture(1)],
    ...choiceNames.map((choice) => [choice, () => fixtureOf(new VariantDevice(choice))] as const),
  ]
  test.each(sound)('%s', { timeout: 60_000 }, async (name, setup) => {
    const options = { name, setup, rounds: 5 }
    for (const one of cases) {
      const opened = await openFixture(options, false)
      await runCase(one, opened, options)
      await closeFixture(opened)
    }
  })
})

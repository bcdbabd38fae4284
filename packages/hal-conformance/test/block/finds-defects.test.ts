import { describe, expect, test } from 'vitest'
import { closeBlock, openBlock, runBlockCase } from '../../src/block/suite.ts'
import { blockGroups } from '../../src/index.ts'
import { defectiveFixture, defects } from './defective-disk.ts'

const cases = blockGroups.flatMap((group) => group.cases.filter(({ workers }) => workers !== true))

async function failuresOf(name: string, limit: number): Promise<string[]> {
  const options = { name, setup: () => defectiveFixture(defects[name] ?? {}), patience: 100, operations: 1000 }
  const found: string[] = []
  for (const one of cases) {
    const opened = await openBlock(options, false)
    await runBlockCase(one, opened, options).catch((error: Error) => found.push(`${one.title}: ${error.message}`))
    await closeBlock(opened)
    if (found.length >= limit) break
  }
  return found
}

describe('the suite for block devices finds a queue that', () => {
  test.each(Object.keys(defects))('%s', { timeout: 60_000 }, async (name) => {
    expect(await failuresOf(name, 1)).not.toEqual([])
  })
})

test('and finds nothing in one that does right', { timeout: 60_000 }, async () => {
  // The wrapper that defects sit in copies columns, and so is no subject of the case about garbage.
  const found = (await failuresOf('', cases.length)).filter((line) => !line.startsWith('submit and complete allocate'))
  expect(found).toEqual([])
})

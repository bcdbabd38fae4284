import { expect, it } from 'vitest'
import { networkTitles, storageTitles } from '../src/index.ts'

it.each([
  ['network', networkTitles()],
  ['storage', storageTitles()],
])('names every case of the %s suite differently, so that a report can be read', (_, titles) => {
  expect(titles.length).toBeGreaterThanOrEqual(50)
  expect(new Set(titles).size).toBe(titles.length)
})

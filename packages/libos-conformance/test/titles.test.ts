import { expect, it } from 'vitest'
import { networkTitles } from '../src/index.ts'

it('names every case differently, so that a report can be read', () => {
  const titles = networkTitles()
  expect(titles.length).toBeGreaterThanOrEqual(50)
  expect(new Set(titles).size).toBe(titles.length)
})

import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('every place that the table of defects names is there', () => {
  const table = readFileSync(new URL('./defects.md', import.meta.url), 'utf8')
  const places = [...table.matchAll(/`((?:packages|apps)\/[^`]+)`/g)].map((match) => match[1])
  expect(places.length).toBeGreaterThan(10)
  expect(places.filter((place) => !existsSync(new URL(`../../../${place}`, import.meta.url)))).toEqual([])
})

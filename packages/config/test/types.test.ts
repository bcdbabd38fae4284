import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const directory = new URL('./types/', import.meta.url)
const compiler = fileURLToPath(import.meta.resolve('typescript/package.json').replace('package.json', 'bin/tsc'))

test('right configs compile, and every wrong one does not', () => {
  // An unused @ts-expect-error is an error itself: a config that compiles although it must not is reported by its line.
  const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', fileURLToPath(directory)], {
    encoding: 'utf8',
  })
  expect(stdout).toBe('')
  expect(status).toBe(0)
  expect(readFileSync(new URL('wrong.ts', directory), 'utf8').match(/@ts-expect-error/g)?.length).toBeGreaterThan(20)
})

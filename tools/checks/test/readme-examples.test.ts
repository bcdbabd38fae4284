import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { exampleOf, publishedPackages } from '../src/readme-examples.ts'
import { root } from '../src/workspace.ts'

// Beside the sources, so that a package's own name and its development dependencies resolve as they do for a test.
const folder = '.readme-example'

describe.each(publishedPackages())('the README of $path', (owner) => {
  const example = exampleOf(owner)
  const directory = join(owner.directory, folder)
  const file = join(directory, 'example.ts')

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('has one example', () => {
    expect(example, 'no block fenced as "ts example"').toBeDefined()
    mkdirSync(directory, { recursive: true })
    writeFileSync(file, example?.code ?? '')
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ extends: '../../../tsconfig.base.json', include: ['example.ts'] }),
    )
  })

  test('whose example compiles', () => {
    const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', directory], { encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  test('whose example runs, ends, and says something', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=source', file], {
      encoding: 'utf8',
      timeout: 30_000,
      cwd: directory,
    })
    expect(status, stderr).toBe(0)
    expect(stdout).not.toBe('')
  })
})

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listCases } from '../src/case-process.ts'
import { ROOT, SUITES } from '../src/suites.ts'

const main = join(import.meta.dirname, '../src/main.ts')
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=source', main, ...args], { encoding: 'utf8', cwd: ROOT })

test('help names the suites', () => {
  const { status, stdout } = bench('--help')
  expect(status).toBe(0)
  for (const name of Object.keys(SUITES)) expect(stdout).toContain(name)
})

test('a suite that does not exist is refused with the names of those that do', () => {
  const { status, stderr } = bench('--suite', 'stoer')
  expect(status).toBe(2)
  expect(stderr).toContain("there is no suite 'stoer': there are store, request-path")
})

test('rounds that are no number are refused', () => {
  expect(bench('--rounds', 'many').stderr).toContain('--rounds many: a whole number from 1')
})

test('every bench file of the repository is in a suite and lists its cases', async () => {
  const tracked = execFileSync('git', ['ls-files', 'packages/*.bench.ts', 'apps/*.bench.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const paths = Object.values(SUITES).flat()
  expect(paths.toSorted()).toEqual(tracked.trim().split('\n').toSorted())
  for (const path of paths) {
    const { cases, title } = await listCases(join(ROOT, path))
    expect(cases.length, path).toBeGreaterThan(0)
    expect(title, path).not.toBe('')
  }
})

test('a run writes its results and the machine they come from', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const json = join(folder, 'results.json')
  try {
    const { status, stdout, stderr } = bench(
      '--suite',
      'queue',
      '--match',
      'nothing due',
      '--rounds',
      '2',
      '--json',
      json,
    )
    expect(status, stderr).toBe(0)
    expect(stdout).toMatch(/a round with nothing due +[\d.]+/)
    expect(existsSync(json)).toBe(true)
    const { machine, benches, loadBefore, rounds } = JSON.parse(readFileSync(json, 'utf8'))
    expect(machine).toMatchObject({ node: process.version, cpu: expect.any(String), pinned: expect.any(Boolean) })
    expect(loadBefore).toHaveLength(3)
    expect(rounds).toBe(2)
    expect(benches).toHaveLength(1)
    expect(benches[0].path).toBe('packages/kernel/bench/timer.bench.ts')
    const [one] = benches[0].cases
    expect(one.samples).toHaveLength(2)
    expect(one.value.median).toBeGreaterThan(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

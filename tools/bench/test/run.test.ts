import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BenchResult, runBenches } from '../src/run.ts'
import { formatBench } from '../src/table.ts'

const fixture = (name: string) => ({
  suite: 'test',
  path: join(import.meta.dirname, 'fixtures', `${name}.bench.ts`),
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-'))
  process.env['BENCH_FIXTURE'] = join(folder, 'round')
})
afterEach(() => {
  delete process.env['BENCH_FIXTURE']
  rmSync(folder, { recursive: true })
})

const caseOf = (result: BenchResult, name: string) => result.cases.find((one) => one.name === name)!

describe('a file of two cases', () => {
  test('gives medians, spread, paired ratios, details, and what cannot run', async () => {
    const order: string[] = []
    const seen: number[] = []
    const [result] = await runBenches([fixture('two-cases')], {
      rounds: 3,
      match: '',
      onCase: (_, __, name) => order.push(name),
      onRound: ([partial]) => seen.push(partial.cases[0].samples.length),
    })
    expect(result).toMatchObject({ title: 'fixture', unit: 'ns', better: 'less', suite: 'test' })
    const [plain, double] = [caseOf(result, 'plain'), caseOf(result, 'double')]
    expect(plain.samples).toEqual([10, 30, 20])
    expect(plain.value).toEqual({ median: 20, min: 10, max: 30 })
    expect(plain.ratio).toBeUndefined()
    expect(double.value).toEqual({ median: 40, min: 20, max: 60 })
    expect(double.baseline).toBe('plain')
    expect(double.ratio).toEqual({ median: 2, min: 2, max: 2 })
    expect(double.details['packets'].median).toBe(4)
    expect(double.detailRatios).toEqual({ packets: { median: 0.5, min: 0.5, max: 0.5 } })
    expect(order).toEqual(['plain', 'double', 'double', 'plain', 'plain', 'double'])
    expect(seen).toEqual([1, 2, 3])
    // A process of its own in every round.
    expect(double.details['process'].min).not.toBe(double.details['process'].max)
    expect(caseOf(result, 'on the moon')).toMatchObject({ unavailable: 'needs a rocket', samples: [], failures: [] })
    const text = formatBench(result)
    expect(text).toContain("fixture (less is better; median of 3 rounds; ratios to 'plain')")
    expect(text).toMatch(/double +40 +20-60 +2 +4 \(x0.500\) +\d+/)
    expect(text).toContain('not run: on the moon: needs a rocket')
  })

  test('match picks cases', async () => {
    const [result] = await runBenches([fixture('two-cases')], { rounds: 1, match: 'double' })
    expect(result.cases.map(({ name, value }) => [name, value?.median])).toEqual([['double', 20]])
    expect(await runBenches([fixture('two-cases')], { rounds: 1, match: 'no such' })).toEqual([])
  })
})

describe('what fails', () => {
  test('a case is reported with its reason, and the others are measured', async () => {
    const [result] = await runBenches([fixture('failing')], { rounds: 2, match: '' })
    expect(caseOf(result, 'works').value?.median).toBe(4)
    expect(caseOf(result, 'breaks')).toMatchObject({ samples: [null, null] })
    expect(caseOf(result, 'breaks').failures).toEqual(Array(2).fill('Error: three packets are missing'))
    expect(caseOf(result, 'divides by zero').failures[0]).toBe('Error: rate is Infinity')
    expect(formatBench(result)).toContain('FAILED in 2 of 2: breaks: Error: three packets are missing')
  })

  test('a file that does not load is reported, and the next one runs', async () => {
    const results = await runBenches([fixture('broken'), fixture('failing')], { rounds: 1, match: '' })
    expect(results[0].cases[0].failures).toEqual(['TypeError: this file does not load'])
    expect(caseOf(results[1], 'works').value?.median).toBe(4)
  })
})

function program(path: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--conditions=source', path, ...args], (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr })
    })
  })
}

describe('a bench file as a program', () => {
  test('prints a table, and exits with 1 when a case failed', async () => {
    const good = await program(fixture('two-cases').path)
    expect(good.code, good.stderr).toBe(0)
    expect(good.stdout).toMatch(/plain +10/)
    const bad = await program(fixture('failing').path)
    expect(bad.code).toBe(1)
    expect(bad.stdout).toContain('FAILED in 1 of 1: breaks')
  })

  test('lists its cases and runs one', async () => {
    const { stdout } = await program(fixture('two-cases').path, '--list')
    expect(JSON.parse(stdout).cases).toEqual([
      { name: 'plain' },
      { name: 'double', baseline: 'plain' },
      { name: 'on the moon', baseline: 'plain', unavailable: 'needs a rocket' },
    ])
    const one = await program(fixture('failing').path, '--case', 'works')
    expect(JSON.parse(one.stdout)).toEqual({ value: 4, details: {} })
    const none = await program(fixture('failing').path, '--case', 'flies')
    expect(none.code).toBe(1)
    expect(none.stderr).toContain("no case 'flies': there are works, divides by zero, breaks")
    const unmatched = await program(fixture('failing').path, '--match', 'flies')
    expect(unmatched.code).toBe(1)
    expect(unmatched.stderr).toContain("no case contains 'flies'")
  })
})

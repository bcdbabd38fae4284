import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Replay } from './support/replay.ts'

const MODEL = fileURLToPath(new URL('../../model/lease.pml', import.meta.url))
/** Simulations of the model, kept so that the code is held to it where spin is missing. */
const TRACES = fileURLToPath(new URL('../../model/traces.txt', import.meta.url))

function isThere(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const compiler = ['cc', 'gcc', 'clang'].find((name) => isThere(name, '--version'))
const missing = !isThere('spin', '-V')
  ? 'spin is not installed: tools/setup/system-packages.sh'
  : compiler === undefined
    ? 'there is no C compiler for what spin makes'
    : undefined

/** The steps of one simulation, without the refusals that say the same as the one before. */
function simulate(seed: number): string[] {
  const output = execFileSync('spin', ['-T', `-n${seed}`, '-u2500', `-DCALM=${seed % 5}`, MODEL], { encoding: 'utf8' })
  const lines = output.split('\n').filter((line) => line.startsWith('ACT '))
  return lines.filter(
    (line, i) => line !== lines[i - 1] && !(line.includes('refuse') && lines[i - 1]?.includes('refuse')),
  )
}

async function replay(lines: readonly string[]): Promise<void> {
  const code = new Replay()
  const done: string[] = []
  for (const line of lines) {
    const [, action, number, state] = /^ACT (\w+) (\d) (.*)$/.exec(line) ?? []
    done.push(line)
    const reached = await code.step(action, Number(number)).catch((error: Error) => {
      throw new Error(`${error.message}, after\n${done.join('\n')}`, { cause: error })
    })
    expect(reached, done.join('\n')).toBe(state)
  }
}

const kept = () =>
  readFileSync(TRACES, 'utf8')
    .split('\n\n')
    .map((trace) => trace.trim().split('\n'))

it('the code takes the steps of the kept simulations, and is in the same state after each', async () => {
  const traces = kept()
  const steps = new Set(traces.flat().map((line) => line.split(' ')[1]))
  // Every kind of step that the model has.
  for (const [, action] of readFileSync(MODEL, 'utf8').matchAll(/[^e] did\((\w+), (?:p|0)\)/g))
    expect(steps).toContain(action)
  for (const trace of traces) await replay(trace)
})

describe.skipIf(missing !== undefined)(`the model, by spin${missing === undefined ? '' : ` (${missing})`}`, () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'parakernel-lease-model-'))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const check = (define: string[], compile: string[], run: string[]) => {
    const cwd = directory
    execFileSync('spin', ['-a', ...define, MODEL], { cwd })
    execFileSync(compiler as string, ['-O1', '-w', ...compile, '-o', 'pan', 'pan.c'], { cwd })
    return execFileSync(join(directory, 'pan'), run, { cwd, encoding: 'utf8' })
  }

  it('has no state that breaks an assertion', { timeout: 120_000 }, () => {
    const output = check([], ['-DSAFETY'], ['-m100000'])
    expect(output).toContain('errors: 0')
    expect(output).not.toMatch(/Search not completed|max search depth too small/)
    expect(Number(/(\d+) states, stored/.exec(output)?.[1])).toBeGreaterThan(10_000)
  })

  it('ends every revocation, whatever its holder does', { timeout: 120_000 }, () => {
    const output = check(['-DLTL'], ['-DNFAIR=5'], ['-a', '-f', '-m200000'])
    expect(output).toContain('errors: 0')
    expect(output).not.toMatch(/Search not completed|max search depth too small/)
  })

  it('says that it would not without a deadline', { timeout: 120_000 }, () => {
    const output = check(['-DLTL', '-DNO_DEADLINE'], ['-DNFAIR=5'], ['-a', '-f', '-m200000'])
    expect(output).toContain('errors: 1')
  })

  it('takes the kept simulations still', () => {
    expect(kept()).toEqual(Array.from({ length: kept().length }, (_, i) => simulate(i + 1)))
  })

  it('goes where the code goes, in simulations of any seed', { timeout: 120_000 }, async () => {
    const first = Math.floor(Math.random() * 1e6)
    for (let seed = first; seed < first + 40; seed++) {
      await replay(simulate(seed)).catch((error: Error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
      })
    }
  })
})

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expect as guestExpect } from '../guest/vitest/expect.ts'
import { PROFILES } from '../src/machine/profiles.ts'
import { listTests, suitesOf } from '../src/machine/suites.ts'
import { buildPayload } from '../src/payload/build.ts'
import { parseTap } from '../src/report/tap.ts'

const folder = mkdtempSync(join(tmpdir(), 'lab-runner-'))
beforeAll(async () => {
  await buildPayload(folder, [])
  mkdirSync(join(folder, 'suites'), { recursive: true })
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function runSuite(body: string) {
  const file = join(folder, 'suites', `${files++}.js`)
  const names = 'afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test'
  writeFileSync(file, `import { ${names} } from 'vitest'\n${body}`)
  const { status, stdout } = spawnSync(process.execPath, ['run.js', file], { cwd: folder, encoding: 'utf8' })
  return { status, ...parseTap(stdout.split('\n')), stdout }
}

describe('the runner of the machine', () => {
  test('tells passed, failed and skipped apart, with reasons', () => {
    const { status, planned, results } = runSuite(`
      describe('outer', () => {
        test('good # one', () => expect(1).toBe(1))
        test('bad', () => expect({ a: 1 }).toEqual({ a: 2 }))
        test('skipped', (context) => context.skip('no such device'))
        test('thrown', async () => { throw new Error('two\\nlines') })
        test('late', () => new Promise(() => {}), 50)
        test('after', () => {})
      })
      describe('other', () => test('goes on', () => {}))`)
    expect(status).toBe(1)
    expect(planned).toBe(7)
    expect(results.map(({ name, state }) => [name, state])).toEqual([
      ['outer good # one', 'passed'],
      ['outer bad', 'failed'],
      ['outer skipped', 'skipped'],
      ['outer thrown', 'failed'],
      ['outer late', 'failed'],
      ['outer after', 'failed'],
      ['other goes on', 'passed'],
    ])
    expect(results[1]?.note).toContain('expected {"a":1} to equal {"a":2}')
    expect(results[2]?.note).toBe('no such device')
    expect(results[3]?.note).toContain('two\nlines')
    expect(results[4]?.note).toContain('took longer than 150 ms')
    expect(results[5]?.note).toBe("not run: 'late' has not ended")
  })

  test('runs hooks around tests, and all tests of a suite fail with its beforeAll', () => {
    const { results, stdout } = runSuite(`
      const say = (word) => process.stdout.write('# ' + word + '\\n')
      describe('a', () => {
        beforeAll(() => say('all')); afterAll(() => say('end'))
        beforeEach(() => say('each')); afterEach(() => say('after'))
        test('1', ({ onTestFinished }) => { onTestFinished(() => say('finished')); say('1') })
        describe('inner', () => test('2', () => say('2')))
      })
      describe('b', () => {
        beforeAll(() => { throw new Error('no device') })
        test('3', () => say('3'))
        describe('inner', () => test('4', () => say('4')))
      })`)
    const words = stdout
      .split('\n')
      .filter((line) => line.startsWith('# '))
      .map((line) => line.slice(2))
    expect(words).toEqual(['all', 'each', '1', 'finished', 'after', 'each', '2', 'after', 'end'])
    expect(results.map(({ state }) => state)).toEqual(['passed', 'passed', 'failed', 'failed'])
    expect(results[3]?.note).toContain('no device')
  })

  test('an afterAll that throws fails the run', () => {
    const { status, results } = runSuite(`
      describe('a', () => { afterAll(() => { throw new Error('stuck') }); test('1', () => {}) })`)
    expect(results.map(({ state }) => state)).toEqual(['passed'])
    expect(status).toBe(1)
  })

  test('a suite that does not load fails the run', () => {
    expect(runSuite('import "./nowhere.js"').status).not.toBe(0)
  })

  test('lists tests without running them', () => {
    const file = join(folder, 'suites', 'list.js')
    writeFileSync(file, `import { describe, test } from 'vitest'\ndescribe('d', () => test('t', () => { throw 1 }))`)
    expect(execFileSync(process.execPath, ['run.js', '--list', file], { cwd: folder, encoding: 'utf8' })).toBe(
      '["d t"]\n',
    )
  })

  test('every profile has suites, and names no test twice', async () => {
    for (const profile of PROFILES) {
      const names = await listTests(suitesOf(profile))
      expect(names.length).toBeGreaterThan(0)
      expect(new Set(names).size).toBe(names.length)
    }
  })
})

describe('its matchers', () => {
  const error = Object.assign(new TypeError('bad thing'), { code: 'EBUSY' })
  const throwing = () => {
    throw error
  }
  const holds: readonly (readonly [string, () => void])[] = [
    ['toBe', () => guestExpect(Number.NaN).toBe(Number.NaN)],
    ['toEqual', () => guestExpect({ a: [1, { b: undefined }] }).toEqual({ a: [1, {}] })],
    ['bytes', () => guestExpect(Uint8Array.of(1, 2)).toEqual(Uint8Array.of(1, 2))],
    ['maps', () => guestExpect(new Map([[1, { a: 1 }]])).toEqual(new Map([[1, { a: 1 }]]))],
    ['toMatchObject', () => guestExpect({ a: { b: 1, c: 2 }, d: 3 }).toMatchObject({ a: { b: 1 } })],
    ['toThrow', () => guestExpect(throwing).toThrow({ code: 'EBUSY' })],
    ['a class', () => guestExpect(throwing).toThrow(TypeError)],
    ['not', () => guestExpect(() => 1).not.toThrow()],
    ['arrayContaining', () => guestExpect([1, 2]).toEqual(guestExpect.arrayContaining([2]))],
    ['stringContaining', () => guestExpect({ m: 'abc' }).toMatchObject({ m: guestExpect.stringContaining('b') })],
    ['toContain', () => guestExpect('abc').toContain('bc')],
    ['toBeGreaterThan', () => guestExpect(2).toBeGreaterThan(1)],
    ['toHaveLength', () => guestExpect([1]).toHaveLength(1)],
  ]
  const fails: typeof holds = [
    ['toBe', () => guestExpect(0).toBe(-0)],
    ['toEqual', () => guestExpect({ a: 1 }).toEqual({ a: 1, b: 2 })],
    ['more than expected', () => guestExpect({ a: 1, b: 2 }).toEqual({ a: 1 })],
    ['bytes', () => guestExpect(Uint8Array.of(1)).toEqual(Uint8Array.of(2))],
    ['kinds of bytes', () => guestExpect(Uint8Array.of(1)).toEqual([1])],
    ['lengths', () => guestExpect([1, 2]).toEqual([1])],
    ['maps', () => guestExpect(new Map([[1, 1]])).toEqual(new Map([[1, 2]]))],
    ['toMatchObject', () => guestExpect({ a: 1 }).toMatchObject({ b: undefined, a: 2 })],
    ['toThrow without', () => guestExpect(() => 1).toThrow()],
    ['toThrow another', () => guestExpect(throwing).toThrow({ code: 'EPERM' })],
    ['not', () => guestExpect(1).not.toBe(1)],
    ['toContain', () => guestExpect([1]).toContain(2)],
    ['toBeGreaterThan', () => guestExpect(Number.NaN).toBeGreaterThan(1)],
    ['toBeDefined', () => guestExpect(undefined).toBeDefined()],
  ]
  test.each(holds)('%s holds', (_, check) => check())
  test.each(fails)('%s fails', (_, check) => expect(check).toThrow('expected'))

  test('with promises', async () => {
    await guestExpect(Promise.resolve(1)).resolves.toBe(1)
    await guestExpect(Promise.reject(error)).rejects.toMatchObject({ code: 'EBUSY' })
    await guestExpect(Promise.reject(error)).rejects.toThrow('bad thing')
    await expect(guestExpect(Promise.resolve(1)).rejects.toBe(1)).rejects.toThrow('was kept')
    await expect(guestExpect(Promise.reject(error)).rejects.toThrow('good thing')).rejects.toThrow('expected')
  })
})

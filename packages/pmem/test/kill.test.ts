import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recordIsWhole, SIZE } from './fixtures/records.ts'
import { Testbed } from './testbed.ts'

const KILLS = process.env['PARAKERNEL_LONG'] === '1' ? 200 : 25

let bed: Testbed
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(() => bed.close())

const appender = fileURLToPath(new URL('fixtures/appender.ts', import.meta.url))

/** Runs the appender until it has acknowledged `acknowledgements` records of its own, kills it, and returns the last count. */
async function killAfter(path: string, options: object, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=source', appender, path, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (!child.killed && text.split('\n').length > acknowledgements) child.kill('SIGKILL')
  }
  expect(await ended).toEqual([null, 'SIGKILL'])
  // What stands behind the last newline was cut off.
  return Number(text.split('\n').at(-2))
}

test.each([
  ['cache lines', { force: true }],
  ['pages', { granularity: 'page' }],
])(`no published record is lost in ${KILLS} kills: %s`, { timeout: KILLS * 5000 }, async (_name, options) => {
  const path = bed.memoryPath()
  const device = await bed.open({ path, size: SIZE })
  await device.close()
  let total = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = await killAfter(path, options, 1 + ((kill * 37) % 150))
    const file = readFileSync(path)
    const published = file.readDoubleLE(0)
    expect(published).toBeGreaterThanOrEqual(acknowledged)
    expect(acknowledged).toBeGreaterThan(total)
    for (let i = 0; i < published; i++) expect(recordIsWhole(file, i), `record ${i} after kill ${kill}`).toBe(true)
    total = published
  }
  expect(recordIsWhole(readFileSync(path), SIZE)).toBe(false)
})

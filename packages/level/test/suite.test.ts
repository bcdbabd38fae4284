import { createRequire } from 'node:module'
import { EmulatedDisk } from '@parakernel/emulated'
import { createPlainWindow, FramePool, type FrameWindow, MonotonicClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { openBlockMedium } from '@parakernel/storage'
import { expect, it } from 'vitest'
import { ParakernelLevel } from '../src/index.ts'

const require = createRequire(import.meta.url)
const BLOCKS = 128
const BLOCK = 512
/** As many as the suite of abstract-level 3.1 makes of a database that supports everything, sublevels included. */
const ASSERTIONS = 5_000

const clock = new MonotonicClock()
const range = { namespace: 1, firstLba: 0, blocks: BLOCKS }
let loop: RunLoop | undefined
/** Memory that no database uses. Some of the suite's are never closed, and keep theirs. */
const idle: FrameWindow[] = []

/** A database of its own, on a small disk in memory. */
function factory(options: object = {}) {
  const media = new Uint8Array(BLOCKS * BLOCK)
  const open = async () => {
    loop ??= startLoop()
    const disk = new EmulatedDisk({ clock, blocks: BLOCKS, blockSize: BLOCK, media })
    const window = idle.pop() ?? createPlainWindow(96, { frameSize: 2048, headroom: 0 })
    const pool = new FramePool(window)
    const grant = disk.grant(0, range, window)
    const medium = openBlockMedium(disk.attach(grant, { pool, clock }), loop)
    const close = () => {
      medium.close()
      disk.reclaim(grant)
      idle.push(window)
    }
    return { medium, close }
  }
  return new ParakernelLevel({ ...options, open, cacheBytes: 4096 })
}

function startLoop(): RunLoop {
  const started = new RunLoop({ clock })
  started.start('guest')
  return started
}

interface Row {
  readonly type: string
  readonly ok?: boolean
  readonly name?: string
  readonly error?: unknown
}

it('passes the public suite of abstract-level', { timeout: 600_000 }, async () => {
  const tape = require('tape') as { createHarness(): Harness }
  const suite = require('abstract-level/test') as (options: object) => void
  const test = tape.createHarness()
  const failed: string[] = []
  let assertions = 0
  let running = ''
  const stream = test.createStream({ objectMode: true })
  stream.on('data', (row: Row) => {
    if (row.type === 'test') running = row.name ?? ''
    if (row.type !== 'assert') return
    assertions++
    if (row.ok !== true) failed.push(`${running}: ${row.name}: ${String(row.error)}`)
  })
  const ended = new Promise((resolve) => stream.on('end', resolve))
  suite({ test, factory })
  await ended
  loop?.close()
  expect(failed.slice(0, 10)).toEqual([])
  expect(assertions).toBeGreaterThan(ASSERTIONS)
  console.info(`${assertions} assertions of abstract-level's suite`)
})

interface Harness {
  createStream(options: object): NodeJS.ReadableStream
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { probeIoUring } from '@parakernel/linux'
import { persistentBackend } from '@parakernel/pmem'
import { describe, expect, it } from 'vitest'
import { openLog } from '../src/index.ts'
import { runAndKill } from './support/kill-trials.ts'
import { loadRecord } from './support/load-record.ts'
import { openRealMedium, type RealOptions } from './support/real-media.ts'

const TRIALS = process.env.PARAKERNEL_LONG === '1' ? 200 : 10
const SIZE = 8 << 20
const program = new URL('./support/append-load.ts', import.meta.url)

function missing(kind: RealOptions['kind']): string | undefined {
  const found = kind === 'io-uring' ? probeIoUring() : persistentBackend.probe({ clock: new MonotonicClock() })
  return found.available ? undefined : found.missing
}

const places: readonly (readonly [RealOptions['kind'], string])[] = [
  ['io-uring', tmpdir()],
  ['pmem', '/dev/shm'],
]

describe.for(places)('a process that is killed in the middle of its load, on %s', ([kind, parent]) => {
  it('loses no record that was acknowledged', { timeout: TRIALS * 5_000 }, async (context) => {
    const lack = missing(kind)
    if (lack !== undefined) context.skip(lack)
    const folder = mkdtempSync(join(parent, 'pk-log-kill-'))
    const options: RealOptions = { kind, path: join(folder, 'log'), size: SIZE }
    let acknowledged = 0
    try {
      for (let trial = 0; trial < TRIALS; trial++) {
        const args = [JSON.stringify(options), trial === 0 ? 'fresh' : 'again']
        const lines = await runAndKill({
          program,
          args,
          afterLines: 1 + ((trial * 37) % 200),
          afterMs: (trial * 13) % 40,
        })
        const highest = Math.max(...lines.map(Number))
        acknowledged += lines.length
        const { medium, close } = await openRealMedium(options)
        const log = await openLog(medium)
        expect(log.next, `trial ${trial}`).toBeGreaterThan(highest)
        let expected = log.first
        await log.visit((sequence, bytes, at, length) => {
          expect(sequence).toBe(expected++)
          if (Buffer.compare(bytes.subarray(at, at + length), loadRecord(sequence)) !== 0) {
            throw new Error(`trial ${trial}: record ${sequence} is not what was appended`)
          }
        })
        expect(expected).toBe(log.next)
        if (trial % 2 === 0) await log.close()
        await close()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    expect(acknowledged).toBeGreaterThan(TRIALS)
  })
})

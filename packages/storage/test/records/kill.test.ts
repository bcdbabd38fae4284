import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { probeIoUring } from '@parakernel/linux'
import { persistentBackend } from '@parakernel/pmem'
import { describe, expect, it } from 'vitest'
import { openRecords } from '../../src/index.ts'
import { runAndKill } from '../support/kill-trials.ts'
import { openRealMedium, type RealOptions } from '../support/real-media.ts'
import { deletes, KEYS, keyFor, LAST, valueFor } from './support/put-record.ts'

const TRIALS = process.env.PARAKERNEL_LONG === '1' ? 200 : 2
const SIZE = 4 << 20
const program = new URL('./support/put-load.ts', import.meta.url)

const places = [
  ['io-uring', tmpdir(), () => probeIoUring()],
  ['pmem', '/dev/shm', () => persistentBackend.probe({ clock: new MonotonicClock() })],
] as const

describe.for(places)('a store whose process is killed in the middle of its load, on %s', ([kind, parent, probe]) => {
  it('has every write that was acknowledged, and no later one without the earlier', {
    timeout: TRIALS * 60_000,
  }, async (context) => {
    const found = probe()
    if (!found.available) context.skip(found.missing)
    const folder = mkdtempSync(join(parent, 'pk-records-kill-'))
    const options: RealOptions = { kind, path: join(folder, 'records'), size: SIZE }
    let acknowledged = 0
    try {
      for (let trial = 0; trial < TRIALS; trial++) {
        const args = [JSON.stringify(options), trial === 0 ? 'fresh' : 'again']
        const lines = await runAndKill({
          program,
          args,
          afterLines: 100 + ((trial * 137) % 900),
          afterMs: (trial * 13) % 40,
        })
        acknowledged += lines.length
        const { medium, close } = await openRealMedium(options)
        const store = await openRecords(medium)
        const last = Number(Buffer.from((await store.get(LAST)) as Uint8Array).toString())
        expect(last, `trial ${trial}`).toBeGreaterThanOrEqual(Math.max(...lines.map(Number)))
        // Each key is as the last write of it up to that number has left it.
        for (let number = last; number > Math.max(0, last - KEYS); number--) {
          const value = await store.get(keyFor(number))
          const wanted = deletes(number) ? undefined : valueFor(number)
          if (Buffer.compare(value ?? Buffer.alloc(0), wanted ?? Buffer.alloc(0)) !== 0) {
            throw new Error(`trial ${trial}: key of write ${number} is not as it was left`)
          }
        }
        if (trial % 2 === 0) await store.close()
        await close()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    expect(acknowledged).toBeGreaterThan(TRIALS * 100)
  })
})

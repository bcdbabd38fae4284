/**
 * An append to the log that is durable when it returns, on tmpfs written back by cache line as if it were persistent memory, against
 * libpmemlog in C on the same tmpfs. Both keep every record whole; libpmemlog keeps no checksum, no sequence and no epoch.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createPlainWindow, FramePool, MonotonicClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { persistentBackend } from '@parakernel/pmem'
import { benchCases } from '@parakernel/tool-bench'
import { measurePmemlog, pmemlogMissing } from '../../pmem/bench/peer.ts'
import { makeLog, openLog, openPersistentMedium } from '../src/index.ts'
import { settle } from '../test/support/rig.ts'

const RECORDS = 20_000
const TRIALS = 15

async function ours(length: number, each: number): Promise<number> {
  const folder = mkdtempSync('/dev/shm/pk-append-')
  try {
    const context = { clock: new MonotonicClock() }
    const size = (RECORDS + 100) * (length + 64) + (8 << 20)
    const device = await persistentBackend.open({ path: `${folder}/log`, size, force: true }, context)
    const region = await persistentBackend.attach(
      device.grant({ byteOffset: 0, byteLength: device.byteLength }),
      context,
    )
    const loop = new RunLoop({ clock: context.clock })
    const pool = new FramePool(createPlainWindow(256, { frameSize: 4096, headroom: 0 }))
    const medium = openPersistentMedium(region, pool, loop)
    await settle(loop, makeLog(medium))
    const log = await settle(loop, openLog(medium))
    const frame = pool.address(pool.allocate())
    pool.bytes.fill(7, frame, frame + length)
    const trials: number[] = []
    for (let trial = 0; trial <= TRIALS; trial++) {
      const start = performance.now()
      for (let i = 0; i < RECORDS; i += each) {
        for (let record = 0; record < each; record++) {
          if (log.appendRegion(frame, length, 'flushed') < 0) throw new Error('an append was refused')
        }
        log.commit()
      }
      trials.push(((performance.now() - start) * 1e6) / RECORDS)
      if (log.durable !== log.next) throw new Error('commit has left something behind')
      await settle(loop, log.truncate(log.next))
    }
    await settle(loop, log.close())
    medium.close()
    await device.close()
    return median(trials.slice(1))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function libpmemlog(length: number): number {
  const folder = mkdtempSync('/dev/shm/pk-append-')
  try {
    return median(measurePmemlog(folder, length, RECORDS, TRIALS + 1).slice(1))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

const cases = [64, 256, 1024, 4000].flatMap((length) => [
  [`libpmemlog, ${length} B`, () => libpmemlog(length)] as const,
  [`log, ${length} B`, () => ours(length, 1)] as const,
  [`log, commits of 16, ${length} B`, () => ours(length, 16)] as const,
])

await benchCases(
  import.meta,
  {
    title: 'durable appends to a log on persistent memory',
    unit: 'ns per record',
    better: 'less',
    baseline: (name) => name.replace(/^.*,/, 'libpmemlog,'),
    unavailable: (name) =>
      process.arch !== 'x64' ? 'cache lines need x64' : name.startsWith('libpmemlog') ? pmemlogMissing() : undefined,
  },
  Object.fromEntries(cases),
)

/**
 * An append that is durable when it returns, on tmpfs written back by cache line as if it were persistent memory: libpmemlog in C, and
 * three ways to do the same in TypeScript. A record with a checksum is whole or is not, and takes one fence, whether it is copied past
 * the caches from a frame or stored and written back; one without it is published by a count behind it, and takes two, as
 * libpmemlog does. The checksum itself is not computed here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createPlainRegion, MonotonicClock, type PersistentRegion, persistentCopy } from '@parakernel/hal'
import { benchCases } from '@parakernel/tool-bench'
import { persistentBackend } from '../src/index.ts'
import { measurePmemlog, pmemlogMissing } from './peer.ts'

const RECORDS = 50_000
const TRIALS = 15
const HEADER = 16
const START = 4096

type Append = (region: PersistentRegion, length: number) => (records: number) => void

/** A header of 16 bytes and the record, put together in a frame and copied past the caches. */
const copied: Append = (region, length) => {
  const source = createPlainRegion(HEADER + length)
  const frame = new Uint8Array(source.buffer)
  const words = new Int32Array(source.buffer)
  const record = new Uint8Array(new SharedArrayBuffer(length)).fill(7)
  const copy = persistentCopy(region, source)
  return (records) => {
    let at = START
    for (let i = 0; i < records; i++) {
      words[0] = length
      words[1] = i
      frame.set(record, HEADER)
      copy.persist(at, 0, HEADER + length)
      at += HEADER + length
    }
  }
}

/** The same, stored in its place; one write-back of both. */
const stored: Append = (region, length) => {
  const bytes = new Uint8Array(region.region.buffer)
  const words = new Int32Array(region.region.buffer)
  const record = new Uint8Array(new SharedArrayBuffer(length)).fill(7)
  const range = [0, HEADER + length]
  return (records) => {
    let at = START
    for (let i = 0; i < records; i++) {
      words[at >> 2] = length
      words[(at >> 2) + 1] = i
      bytes.set(record, at + HEADER)
      range[0] = at
      region.persist(range)
      at += HEADER + length
    }
  }
}

/** The record, and when it is durable its end in one 8-byte store. */
const published: Append = (region, length) => {
  const bytes = new Uint8Array(region.region.buffer)
  const end = new Float64Array(region.region.buffer)
  const record = new Uint8Array(new SharedArrayBuffer(length)).fill(7)
  const range = [0, length]
  const first = [0, 8]
  return (records) => {
    let at = START
    for (let i = 0; i < records; i++) {
      bytes.set(record, at)
      range[0] = at
      region.persist(range)
      at += length
      end[0] = at
      region.persist(first)
    }
  }
}

async function ours(append: Append, length: number): Promise<number> {
  const folder = mkdtempSync('/dev/shm/pk-append-')
  try {
    const context = { clock: new MonotonicClock() }
    const size = START + RECORDS * (HEADER + length)
    const device = await persistentBackend.open({ path: `${folder}/region`, size, force: true }, context)
    const region = await persistentBackend.attach(
      device.grant({ byteOffset: 0, byteLength: device.byteLength }),
      context,
    )
    const run = append(region, length)
    run(RECORDS)
    const trials = Array.from({ length: TRIALS }, () => {
      const start = performance.now()
      run(RECORDS)
      return ((performance.now() - start) * 1e6) / RECORDS
    })
    region.detach()
    await device.close()
    return median(trials)
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

const cases = [64, 256, 1024, 4096].flatMap((length) => [
  [`libpmemlog, ${length} B`, () => libpmemlog(length)] as const,
  [`copied, one fence, ${length} B`, () => ours(copied, length)] as const,
  [`stored, one fence, ${length} B`, () => ours(stored, length)] as const,
  [`stored, two fences, ${length} B`, () => ours(published, length)] as const,
])

await benchCases(
  import.meta,
  {
    title: 'durable appends to persistent memory',
    unit: 'ns per record',
    better: 'less',
    baseline: (name) => name.replace(/^.*,/, 'libpmemlog,'),
    unavailable: (name) =>
      process.arch !== 'x64' ? 'cache lines need x64' : name.startsWith('libpmemlog') ? pmemlogMissing() : undefined,
  },
  Object.fromEntries(cases),
)

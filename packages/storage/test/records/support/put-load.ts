/** A load of writes on a store in a file: prints the number of each write that became durable. Killed from outside. */
import { writeSync } from 'node:fs'
import { makeRecords, openRecords } from '../../../src/index.ts'
import { openRealMedium, type RealOptions } from '../../support/real-media.ts'
import { batchFor, LAST } from './put-record.ts'

const [, , options, fresh] = process.argv
const { medium } = await openRealMedium(JSON.parse(options) as RealOptions)
if (fresh === 'fresh') await makeRecords(medium)
const store = await openRecords(medium, { cacheBytes: 1 << 16 })

const last = await store.get(LAST)
let next = last === undefined ? 1 : Number(Buffer.from(last).toString()) + 1

/** Batches in the order of their numbers, many under way. */
async function writer(): Promise<void> {
  for (;;) {
    const number = next++
    await store.write(batchFor(number), number % 5 === 0 ? 'fua' : 'flushed')
    writeSync(1, `${number}\n`)
  }
}

for (let i = 0; i < 16; i++) void writer()

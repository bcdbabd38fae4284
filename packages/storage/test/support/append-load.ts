/** A load of appends on a log in a file: prints the sequence of each record that became durable. Killed from outside. */
import { writeSync } from 'node:fs'
import { makeLog, openLog } from '../../src/index.ts'
import { loadRecord } from './load-record.ts'
import { openRealMedium, type RealOptions } from './real-media.ts'

const [, , options, fresh] = process.argv
const { medium } = await openRealMedium(JSON.parse(options) as RealOptions)
if (fresh === 'fresh') await makeLog(medium)
const log = await openLog(medium)

const WRITERS = 16
const done = (status: number, sequence: number) => {
  if (status !== 0) throw new Error(`record ${sequence} failed: ${status}`)
  writeSync(1, `${sequence}\n`)
  append(sequence)
}

function append(cause: number): void {
  const level = cause % 5 === 0 ? 'fua' : 'flushed'
  const sequence = log.append(loadRecord(log.next), level, done)
  if (sequence > 0) return
  if (sequence !== -28) throw new Error(`append: ${sequence}`)
  // Full: half of it goes, and the writers go on.
  void log.truncate(log.first + Math.floor((log.next - log.first) / 2)).then(() => append(cause))
}

for (let i = 0; i < WRITERS; i++) append(i)

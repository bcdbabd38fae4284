import type { LostRecords } from '../log/log.ts'
import type { RecordsCore } from './core.ts'
import { DELETED, NONE } from './index/slots.ts'
import type { LostKeys, RecordsScrubReport } from './records.ts'

/** Reads the log, and finds the keys whose values lie where it is damaged: in it now, or skipped when the store was opened. */
export async function scrubRecords(core: RecordsCore): Promise<RecordsScrubReport> {
  const report = await core.log.scrub()
  const skipped = core.log.recovery.lost.filter(
    (one) => one.first >= core.log.first && !report.lost.some(({ position }) => position === one.position),
  )
  const keys = [...report.lost, ...skipped].flatMap((records) => lostKeys(core, records) ?? [])
  return { ...report, keys }
}

function lostKeys({ index }: RecordsCore, records: LostRecords): LostKeys | undefined {
  const { order, slots } = index
  let first = NONE
  let last = NONE
  let keys = 0
  order.toFirst()
  for (let slot = order.slot; slot !== NONE; order.next(), slot = order.slot) {
    const position = slots.position[slot]
    if (position === DELETED) continue
    if (position < records.position || position >= records.position + records.byteLength) continue
    if (first === NONE) first = slot
    last = slot
    keys++
  }
  return keys === 0 ? undefined : { first: index.keyOf(first), last: index.keyOf(last), keys, records }
}

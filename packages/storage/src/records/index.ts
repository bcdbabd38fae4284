export { RecordBatch } from './batch.ts'
export { compareKeys, RecordCursor, type RecordEntries } from './cursor.ts'
export { type MakeRecordsOptions, makeRecords } from './make-records.ts'
export { openRecords } from './open-records.ts'
export {
  type LostKeys,
  RECORD_COUNTERS,
  type RecordCounter,
  type RecordRange,
  type RecordSnapshot,
  type RecordsOptions,
  type RecordsRecovery,
  type RecordsScrubReport,
  type RecordsUsage,
} from './records.ts'
export { RecordStore } from './store.ts'

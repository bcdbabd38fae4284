import {
  H_MAX_VALUE,
  H_MOVE_DISTANCE,
  ITEM_LENGTHS,
  ITEM_VERSION_HI,
  ITEM_VERSION_LO,
  MAX_KEY_BYTES,
  SLOT_POSITION,
} from '../layout.ts'
import {
  OP_ADD,
  OP_APPEND,
  OP_CAS,
  OP_DECREMENT,
  OP_DELETE,
  OP_GET,
  OP_GET_AND_TOUCH,
  OP_INCREMENT,
  OP_NOOP,
  OP_PREPEND,
  OP_REPLACE,
  OP_SET,
  OP_TEST,
  OP_TOUCH,
  RESULT_BAD_KEY,
  RESULT_EXISTS,
  RESULT_NOT_A_COUNTER,
  RESULT_NOT_FOUND,
  RESULT_OK,
  RESULT_UNKNOWN_OPCODE,
  RESULT_VALUE_TOO_LARGE,
} from '../operations.ts'
import type { RequestBatch } from '../request-batch.ts'
import { C_DELETES, C_MOVED_TO_HEAD } from '../statistics.ts'
import { bucketAt } from './bucket-index.ts'
import { addCounter } from './counter.ts'
import {
  ageOf,
  expiryOf,
  findUnexpired,
  flagsOf,
  isExtended,
  removeItem,
  valueAddress,
  writeExtension,
} from './items.ts'
import { lockBucket, unlockBucket } from './seqlock.ts'
import { itemAt, type StoreMemory } from './store-memory.ts'
import { insertItem, overwriteItem, rewriteItem } from './writes.ts'

/**
 * Runs one request in full: looks the key up anew, whatever `prepare` found. Writes all response columns but
 * `responseAddress`; the caller copies the value out. Every path that `execute` does not take inline ends here.
 */
export function runRequest(s: StoreMemory, batch: RequestBatch, i: number): void {
  const opcode = batch.opcode[i]
  batch.responseLength[i] = 0
  batch.versionLo[i] = 0
  batch.versionHi[i] = 0
  batch.responseFlags[i] = 0
  batch.responseExpiresAt[i] = 0
  batch.storedAddress[i] = 0
  batch.result[i] = check(s, batch, i, opcode)
  if (opcode === OP_NOOP || batch.result[i] !== RESULT_OK) return

  const bucket = bucketAt(s, batch.hashLo[i], batch.hashHi[i])
  const tag = (batch.hashLo[i] & 0x03ffffff) | 0x80000000
  const slot = findUnexpired(s, bucket, tag, batch.keyAddress[i], batch.keyLength[i], batch.now)
  const result =
    slot === 0 ? runAbsent(s, batch, i, opcode, bucket, tag) : runPresent(s, batch, i, opcode, bucket, slot)
  batch.result[i] = result
}

function check(s: StoreMemory, batch: RequestBatch, i: number, opcode: number): number {
  if (opcode === OP_NOOP) return RESULT_OK
  if (opcode >>> 0 > OP_TEST) return RESULT_UNKNOWN_OPCODE
  const keyLength = batch.keyLength[i]
  if (keyLength < 1 || keyLength > MAX_KEY_BYTES) return RESULT_BAD_KEY
  if (takesValue(opcode) && batch.valueLength[i] >>> 0 > s.words[s.header + H_MAX_VALUE]) return RESULT_VALUE_TOO_LARGE
  return RESULT_OK
}

function takesValue(opcode: number): boolean {
  return (
    (opcode >= OP_SET && opcode <= OP_REPLACE) || opcode === OP_CAS || opcode === OP_APPEND || opcode === OP_PREPEND
  )
}

function runAbsent(
  s: StoreMemory,
  batch: RequestBatch,
  i: number,
  opcode: number,
  bucket: number,
  tag: number,
): number {
  if (opcode === OP_SET || opcode === OP_ADD) return insertItem(s, batch, i, bucket, tag)
  return RESULT_NOT_FOUND
}

function runPresent(
  s: StoreMemory,
  batch: RequestBatch,
  i: number,
  opcode: number,
  bucket: number,
  slot: number,
): number {
  const { words } = s
  const item = itemAt(s, words[slot + SLOT_POSITION])
  switch (opcode) {
    case OP_SET:
    case OP_REPLACE:
      return overwriteItem(s, batch, i, bucket, slot)
    case OP_ADD:
      return RESULT_EXISTS
    case OP_DELETE:
      removeItem(s, bucket, slot, C_DELETES)
      return RESULT_OK
    case OP_CAS:
      if (
        words[item + ITEM_VERSION_LO] !== batch.operandLo[i] ||
        words[item + ITEM_VERSION_HI] !== batch.operandHi[i]
      ) {
        describe(s, batch, i, item)
        batch.responseLength[i] = 0
        return RESULT_EXISTS
      }
      return overwriteItem(s, batch, i, bucket, slot)
    case OP_APPEND:
      return rewriteItem(s, batch, i, bucket, slot, 0, batch.valueLength[i], expiryOf(s, item), flagsOf(s, item), true)
    case OP_PREPEND:
      return rewriteItem(s, batch, i, bucket, slot, batch.valueLength[i], 0, expiryOf(s, item), flagsOf(s, item), true)
    case OP_TOUCH:
    case OP_GET_AND_TOUCH: {
      const touched = touch(s, batch, i, bucket, slot, item)
      if (touched !== RESULT_OK) return touched
      break
    }
    case OP_INCREMENT:
    case OP_DECREMENT: {
      if (words[item + ITEM_LENGTHS] >>> 8 !== 8) return RESULT_NOT_A_COUNTER
      refresh(s, batch, i, bucket, slot)
      addCounter(s, batch, i, bucket, itemAt(s, words[slot + SLOT_POSITION]), opcode === OP_DECREMENT)
      break
    }
    case OP_GET:
    case OP_TEST:
      if (opcode === OP_GET) refresh(s, batch, i, bucket, slot)
  }
  describe(s, batch, i, itemAt(s, words[slot + SLOT_POSITION]))
  if (opcode === OP_TOUCH) batch.responseLength[i] = 0
  return RESULT_OK
}

/** True for operations whose response carries a value when they succeed. */
export function returnsValue(opcode: number): boolean {
  return opcode === OP_GET || opcode === OP_GET_AND_TOUCH || opcode === OP_INCREMENT || opcode === OP_DECREMENT
}

/** Move-to-head: an item in use that is close to its eviction is appended again. Never fails: the log always has room. */
function refresh(s: StoreMemory, batch: RequestBatch, i: number, bucket: number, slot: number): void {
  const position = s.words[slot + SLOT_POSITION]
  if (s.lossless || ageOf(s, position) <= s.words[s.header + H_MOVE_DISTANCE]) return
  const item = itemAt(s, position)
  rewriteItem(s, batch, i, bucket, slot, 0, 0, expiryOf(s, item), flagsOf(s, item), false)
  s.counters[C_MOVED_TO_HEAD]++
}

function touch(s: StoreMemory, batch: RequestBatch, i: number, bucket: number, slot: number, item: number): number {
  const expiresAt = batch.expiresAt[i]
  if (isExtended(s, item)) {
    lockBucket(s, bucket)
    writeExtension(s, item, expiresAt, flagsOf(s, item))
    unlockBucket(s, bucket)
    refresh(s, batch, i, bucket, slot)
    return RESULT_OK
  }
  if (expiresAt === 0) {
    refresh(s, batch, i, bucket, slot)
    return RESULT_OK
  }
  return rewriteItem(s, batch, i, bucket, slot, 0, 0, expiresAt, 0, false)
}

/** Response columns of an item that was found. */
function describe(s: StoreMemory, batch: RequestBatch, i: number, item: number): void {
  const { words } = s
  batch.versionLo[i] = words[item + ITEM_VERSION_LO]
  batch.versionHi[i] = words[item + ITEM_VERSION_HI]
  batch.responseFlags[i] = flagsOf(s, item)
  batch.responseExpiresAt[i] = expiryOf(s, item)
  batch.responseLength[i] = words[item + ITEM_LENGTHS] >>> 8
  batch.storedAddress[i] = valueAddress(s, item)
}

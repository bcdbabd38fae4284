import { type Chunks, follow } from './data-pointer.ts'
import type { Namespace } from './namespace.ts'
import type { ControllerParts } from './parts.ts'
import type { FetchedCommand } from './queues.ts'
import {
  INVALID_FIELD,
  INVALID_NAMESPACE,
  INVALID_OPCODE,
  INVALID_PRP_OFFSET,
  LBA_OUT_OF_RANGE,
  READ_ONLY_RANGE,
  SUCCESS,
} from './status.ts'

/** Opcodes: NVM command set specification 1.0, section 3.2. */
const FLUSH = 0x00
export const WRITE = 0x01
const READ = 0x02
const COMPARE = 0x05
const WRITE_ZEROES = 0x08
const DATASET_MANAGEMENT = 0x09
const FUA = 1 << 30
const DEALLOCATE = 1 << 2
const ALL_NAMESPACES = 0xffff_ffff

/** First block and blocks of a command that names a range. */
export function rangeOf({ words }: FetchedCommand): { readonly lba: number; readonly blocks: number } {
  return {
    lba: (words[10] >>> 0) + (words[11] >>> 0) * 0x1_0000_0000,
    blocks: (words[12] & 0xffff) + 1,
  }
}

/** Does a command of an I/O queue; returns its status. */
export function executeIo(parts: ControllerParts, command: FetchedCommand): number {
  const { words, opcode } = command
  if ((words[0] & 0x3f00) !== 0) return INVALID_FIELD // Fused, and reserved bits.
  const number = words[1] >>> 0
  if (opcode === FLUSH && number === ALL_NAMESPACES) {
    for (const namespace of parts.namespaces.values()) namespace.flush()
    return SUCCESS
  }
  const namespace = parts.namespaces.get(number)
  if (namespace === undefined) return INVALID_NAMESPACE
  switch (opcode) {
    case FLUSH:
      namespace.flush()
      return SUCCESS
    case READ:
    case WRITE:
      return transfer(parts, command, namespace)
    case COMPARE:
      return parts.options.compare ? transfer(parts, command, namespace) : INVALID_OPCODE
    case WRITE_ZEROES:
      return parts.options.writeZeroes ? zero(parts, command, namespace) : INVALID_OPCODE
    case DATASET_MANAGEMENT:
      return parts.options.deallocate ? manage(parts, command, namespace) : INVALID_OPCODE
    default:
      return INVALID_OPCODE
  }
}

/** Finds the data of a read, write or compare; returns a status. */
export function locate(parts: ControllerParts, command: FetchedCommand, namespace: Namespace): number {
  const { lba, blocks } = rangeOf(command)
  const length = blocks * namespace.blockSize
  const { mdts, sgl } = parts.options
  if (mdts > 0 && length > 4096 << mdts) return INVALID_FIELD
  if (lba + blocks > namespace.blocks) return LBA_OUT_OF_RANGE
  const status = follow(parts.bus, command.words, length, sgl, parts.chunks)
  if (status === INVALID_PRP_OFFSET) parts.health.counters.misalignedPointers++
  return status
}

function transfer(parts: ControllerParts, command: FetchedCommand, namespace: Namespace): number {
  const { opcode, words } = command
  if (opcode === WRITE && namespace.readOnly) return READ_ONLY_RANGE
  const status = locate(parts, command, namespace)
  if (status !== SUCCESS) return status
  const { lba, blocks } = rangeOf(command)
  const { chunks, health } = parts
  const units = (blocks * namespace.blockSize) / 512
  if (opcode === COMPARE) return namespace.compare(lba, chunks)
  if (opcode === READ) {
    health.reads++
    health.unitsRead += units
    namespace.read(lba, chunks)
  } else {
    health.writes++
    health.unitsWritten += units
    namespace.write(lba, blocks, chunks, (words[12] & FUA) !== 0 || !parts.features.cache)
  }
  return SUCCESS
}

function zero(parts: ControllerParts, command: FetchedCommand, namespace: Namespace): number {
  if (namespace.readOnly) return READ_ONLY_RANGE
  const { lba, blocks } = rangeOf(command)
  if (lba + blocks > namespace.blocks) return LBA_OUT_OF_RANGE
  namespace.zero(lba, blocks, (command.words[12] & FUA) !== 0 || !parts.features.cache)
  return SUCCESS
}

/** Ranges of 16 bytes: attributes, length, first block. */
function manage(parts: ControllerParts, { words }: FetchedCommand, namespace: Namespace): number {
  if (namespace.readOnly) return READ_ONLY_RANGE
  const count = (words[10] & 0xff) + 1
  const { bus, chunks, options } = parts
  const status = follow(bus, words, count * 16, options.sgl, chunks)
  if (status !== SUCCESS) return status
  const ranges = new DataView(gather(chunks).buffer)
  for (let pass = 0; pass < 2; pass++) {
    for (let i = 0; i < count; i++) {
      const blocks = ranges.getUint32(16 * i + 4, true)
      const lba = Number(ranges.getBigUint64(16 * i + 8, true))
      if (lba + blocks > namespace.blocks) return LBA_OUT_OF_RANGE
      if (pass === 1 && (words[11] & DEALLOCATE) !== 0 && blocks > 0) namespace.zero(lba, blocks, !parts.features.cache)
    }
  }
  return SUCCESS
}

/** The bytes of all chunks, copied. */
export function gather(chunks: Chunks): Uint8Array {
  let length = 0
  for (let i = 0; i < chunks.count; i++) length += chunks.lengths[i]
  const bytes = new Uint8Array(length)
  let at = 0
  for (let i = 0; i < chunks.count; i++) {
    bytes.set(chunks.bytes[i].subarray(chunks.offsets[i], chunks.offsets[i] + chunks.lengths[i]), at)
    at += chunks.lengths[i]
  }
  return bytes
}

import { ParakernelError, type WasmMemory } from '@parakernel/hal'
import type { Geometry } from './geometry.ts'
import {
  H_BUCKET_MASK,
  H_CREW,
  H_DATA,
  H_DATA_UNITS,
  H_INDEX,
  H_LAYOUT,
  H_MAGIC,
  H_MAX_VALUE,
  H_MODE,
  H_MOVE_DISTANCE,
  H_POSITION_MASK,
  H_SPARE,
  H_SPARE_COUNT,
  H_SWEEP_STEP,
  H_TOUCH_LINES,
  HEADER_BYTES,
  ITEM_HEADER_BYTES,
  LAYOUT_VERSION,
  MAGIC,
  MOST_TOUCH_LINES,
} from './layout.ts'
import { formatData } from './maintenance.ts'
import type { MicaPartitionOptions } from './partition.ts'
import { StoreMemory } from './typescript/store-memory.ts'

/** Positions wrap after 2^32 units; the whole index is swept of stale entries once per this many. */
const SWEEP_PERIOD_UNITS = 2 ** 30

/** Writes the header, an empty index and an empty data area into a window. */
export function formatPartition(
  memory: WasmMemory,
  byteOffset: number,
  geometry: Geometry,
  options: MicaPartitionOptions,
): StoreMemory {
  const { moveToHead = 0.5, expectedItemBytes = 64, concurrency = 'EREW', name = 'mica' } = options
  if (!(moveToHead >= 0 && moveToHead <= 1)) {
    throw new ParakernelError('EINVAL', `moveToHead is ${moveToHead}`, {
      subject: name,
      remedy: 'Give a share from 0 (LRU) to 1 (FIFO)',
    })
  }
  const { mode, buckets, dataBytes } = geometry
  const dataUnits = dataBytes / 8
  const bytes = new Uint8Array(memory.buffer)
  bytes.fill(0, byteOffset, byteOffset + HEADER_BYTES)
  bytes.fill(0, byteOffset + geometry.indexOffset, byteOffset + geometry.dataOffset)

  const header = new Int32Array(memory.buffer, byteOffset, HEADER_BYTES / 4)
  header[H_LAYOUT] = LAYOUT_VERSION
  header[H_MODE] = mode === 'store' ? 1 : 0
  header[H_CREW] = concurrency === 'CREW' ? 1 : 0
  header[H_BUCKET_MASK] = buckets - 1
  header[H_INDEX] = byteOffset + geometry.indexOffset
  header[H_SPARE] = byteOffset + geometry.spareOffset
  header[H_SPARE_COUNT] = geometry.spareBuckets
  header[H_DATA] = byteOffset + geometry.dataOffset
  header[H_DATA_UNITS] = dataUnits
  header[H_POSITION_MASK] = mode === 'store' ? -1 : dataUnits - 1
  header[H_MOVE_DISTANCE] = mode === 'store' ? -1 : Math.floor(moveToHead * dataUnits)
  header[H_MAX_VALUE] = geometry.maxValueBytes
  header[H_SWEEP_STEP] = Math.floor(SWEEP_PERIOD_UNITS / buckets)
  header[H_TOUCH_LINES] = Math.min(MOST_TOUCH_LINES, (ITEM_HEADER_BYTES + expectedItemBytes - 1) >> 6)

  const store = new StoreMemory(memory, byteOffset)
  formatData(store)
  // Last, so that a reader in another thread never attaches to a half-made partition.
  Atomics.store(header, H_MAGIC, MAGIC)
  return store
}

import { readHeader } from '../format/header.ts'
import { geometryOf, LOG_VERSION } from '../log/geometry.ts'
import { openLog } from '../log/open-log.ts'
import type { Medium } from '../medium/medium.ts'
import { Checkpointer } from './checkpointer.ts'
import { RecordsCore } from './core.ts'
import { RECORDS_VERSION } from './format.ts'
import { loadPointers, logMedium } from './image.ts'
import { openReader } from './reader.ts'
import type { RecordsOptions } from './records.ts'
import { replay } from './replay.ts'
import { RecordStore } from './store.ts'

const MiB = 1 << 20

/**
 * Opens the key-value records on a medium: everything that was acknowledged is there, each batch whole or not at all. One store at
 * a time on one medium.
 * @throws EINVAL for no store, another format or block size; EUCLEAN for damage to acknowledged records; ENOBUFS for a pool that is
 * too small; EIO, ENODEV and others for the device
 */
export async function openRecords(medium: Medium, options: RecordsOptions = {}): Promise<RecordStore> {
  const { durability = 'flushed', cacheBytes = 8 * MiB, cachedValueLimit = 4096, damaged = 'refuse' } = options
  const header = await readHeader(medium, 'records', RECORDS_VERSION)
  const inner = logMedium(medium, header)
  const geometry = geometryOf(inner, await readHeader(inner, 'log', LOG_VERSION))
  const log = await openLog(inner, { ...options.log, durability, damaged })
  try {
    const reader = openReader(inner, geometry)
    const core = new RecordsCore(medium, log, reader, geometry, cacheBytes, cachedValueLimit)
    try {
      const pointers = await loadPointers(medium, header.uuid)
      const { generation, fromCheckpoint, records } = await replay(core, pointers)
      const every = options.checkpointBytes ?? Math.floor(log.capacityBytes / 8)
      const checkpointer = new Checkpointer(core, header.uuid, generation, every)
      const recovery = {
        clean: log.recovery.clean,
        keys: core.index.keys,
        fromCheckpoint,
        replayed: records,
        lost: log.recovery.lost,
      }
      return new RecordStore(core, checkpointer, recovery, durability)
    } catch (error) {
      reader.close()
      throw error
    }
  } catch (error) {
    await log.close().catch(() => {})
    throw error
  }
}

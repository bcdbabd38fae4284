import { ParakernelError, reasonOf } from '@parakernel/hal'
import type { PartitionContext } from '@parakernel/kernel'
import { isBlankMedium, type Log, makeLog, openBlockMedium, openLog, openPersistentMedium } from '@parakernel/storage'
import { journalError } from './store-journal.ts'

export type Persistence = 'none' | 'log' | 'pmem'

/** The log of a partition on its share of the storage, made when the share is blank. Ends with `close`. */
export interface PartitionLog {
  readonly log: Log
  close(): void
}

/** @throws EINVAL when the config's storage is not of the kind that `persistence` asks for; what opening a log throws */
export async function openPartitionLog(
  context: PartitionContext<unknown>,
  persistence: 'log' | 'pmem',
): Promise<PartitionLog> {
  const { blocks, persistent, pool, loop } = context
  if (persistence === 'log' && blocks.length === 0) {
    throw journalError('"log" needs a block device', 'Name one: --storage.backend io-uring --storage.path kvs.img')
  }
  if (persistence === 'pmem' && persistent.length === 0) {
    throw journalError('"pmem" needs persistent memory', 'Name some: --storage.backend pmem --storage.path kvs.pmem')
  }
  const medium =
    persistence === 'log' ? openBlockMedium(blocks[0], loop) : openPersistentMedium(persistent[0], pool, loop)
  try {
    if (await isBlankMedium(medium)) await makeLog(medium)
    return { log: await openLog(medium), close: () => medium.close() }
  } catch (error) {
    medium.close()
    throw error instanceof ParakernelError && error.code === 'EINVAL' ? otherImage(error) : error
  }
}

/** Each partition has a log of its own on its share: another number of partitions finds other shares. */
function otherImage(cause: ParakernelError): ParakernelError {
  const { code, subject } = cause
  return new ParakernelError(code, `holds no log of this server: ${reasonOf(cause)}`, {
    ...(subject === undefined ? {} : { subject }),
    remedy: 'Name the image that it has written, with as many partitions; a new one is made where there is none',
    cause,
  })
}

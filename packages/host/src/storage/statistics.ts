import { Counters } from '@parakernel/hal'
import { FILE_COUNTERS } from '@parakernel/queue'

export const HOST_FILE_COUNTERS = [...FILE_COUNTERS, 'hostReads', 'hostWrites', 'namesSkipped'] as const

/** Of one libOS, under the names of the contract. */
export class HostFileCounters extends Counters<(typeof HOST_FILE_COUNTERS)[number]> {
  constructor() {
    super(HOST_FILE_COUNTERS)
  }

  add(name: (typeof HOST_FILE_COUNTERS)[number], value = 1): void {
    this.values[HOST_FILE_COUNTERS.indexOf(name)] += value
  }

  /** In the groups of the contract. */
  byGroup(fileFlushes: number, directoryFlushes: number): Record<string, Record<string, number>> {
    const { hostReads, hostWrites, namesSkipped, ...file } = this.snapshot()
    return {
      file,
      host: { reads: hostReads, writes: hostWrites, fileFlushes, directoryFlushes, namesSkipped },
    }
  }
}

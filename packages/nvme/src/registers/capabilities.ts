import type { RegisterWindow } from '@parakernel/hal'
import { REG_CAP, REG_VS } from './offsets.ts'

/** The CAP and VS registers, decoded. */
export interface ControllerCapabilities {
  /** Entries that a queue may have (MQES is 0-based). */
  readonly maxQueueEntries: number
  /** Doorbells are `4 << doorbellStride` bytes apart. */
  readonly doorbellStride: number
  /** Longest time from CC.EN to CSTS.RDY, either way, in milliseconds; at least 500, since 0 there means "not told". */
  readonly readyTimeout: number
  /** Smallest and largest memory page, in bytes. */
  readonly minPage: number
  readonly maxPage: number
  /** The NVM command set is there (CSS bit 0). */
  readonly nvmCommandSet: boolean
  /** Queues must be physically contiguous. */
  readonly contiguousQueues: boolean
  readonly subsystemReset: boolean
  /** `major.minor.tertiary`. */
  readonly version: string
  /** Major and minor in one number that can be compared: 0x10400 for 1.4. */
  readonly versionNumber: number
}

export function readCapabilities(registers: RegisterWindow): ControllerCapabilities {
  const low = registers.read32(REG_CAP)
  const high = registers.read32(REG_CAP + 4)
  const version = registers.read32(REG_VS)
  return {
    maxQueueEntries: (low & 0xffff) + 1,
    contiguousQueues: (low & 0x1_0000) !== 0,
    readyTimeout: Math.max(1, low >>> 24) * 500,
    doorbellStride: high & 0xf,
    subsystemReset: (high & 0x10) !== 0,
    nvmCommandSet: (high & 0x20) !== 0,
    minPage: 4096 << ((high >>> 16) & 0xf),
    maxPage: 4096 * 2 ** ((high >>> 20) & 0xf),
    version: `${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`,
    versionNumber: version,
  }
}

import type { ResolvedNvmeOptions } from './options.ts'
import {
  COMMAND_SEQUENCE_ERROR,
  FEATURE_NOT_CHANGEABLE,
  FEATURE_NOT_SAVEABLE,
  INVALID_FIELD,
  SUCCESS,
} from './status.ts'

/** Feature identifiers: base specification 2.0, figure 316. */
export const FEATURE_TEMPERATURE = 0x04
export const FEATURE_WRITE_CACHE = 0x06
export const FEATURE_QUEUES = 0x07
export const FEATURE_VECTOR = 0x09
export const FEATURE_EVENTS = 0x0b
const DEFAULTS: ReadonlyMap<number, number> = new Map([
  [0x01, 0], // Arbitration.
  [0x02, 0], // Power management.
  [FEATURE_TEMPERATURE, 343],
  [0x05, 0], // Error recovery.
  [0x08, 0], // Interrupt coalescing.
  [FEATURE_VECTOR, 0],
  [0x0a, 0], // Write atomicity.
  [FEATURE_EVENTS, 0],
])
const CHANGEABLE = 4

export class Features {
  readonly #values = new Map(DEFAULTS)
  readonly #hasCache: boolean
  readonly #mostQueues: number
  #granted: number | undefined
  cache: boolean

  constructor({ volatileCache, queues }: ResolvedNvmeOptions) {
    this.#hasCache = volatileCache
    this.cache = volatileCache
    this.#mostQueues = queues
  }

  /** I/O queue pairs that may be created. */
  get queues(): number {
    return this.#granted ?? this.#mostQueues
  }

  /** A controller level reset: everything is as it was made, since nothing is saved. */
  reset(): void {
    for (const [feature, value] of DEFAULTS) this.#values.set(feature, value)
    this.cache = this.#hasCache
    this.#granted = undefined
  }

  /** Fills `result[0]` with dword 0; returns a status. */
  get(feature: number, select: number, result: Int32Array): number {
    if (select > 3) return INVALID_FIELD
    if (feature === FEATURE_WRITE_CACHE) {
      if (!this.#hasCache) return INVALID_FIELD
      result[0] = select === 3 ? CHANGEABLE : select === 1 || this.cache ? 1 : 0
    } else if (feature === FEATURE_QUEUES) {
      const most = this.queues - 1
      result[0] = select === 3 ? CHANGEABLE : (most << 16) | most
    } else {
      const value = select === 1 ? DEFAULTS.get(feature) : this.#values.get(feature)
      if (value === undefined) return INVALID_FIELD
      result[0] = select === 3 ? CHANGEABLE : value
    }
    return SUCCESS
  }

  /** @param queuesInUse there are I/O queues already */
  set(feature: number, save: boolean, value: number, queuesInUse: boolean, result: Int32Array): number {
    if (save) return FEATURE_NOT_SAVEABLE
    if (feature === FEATURE_WRITE_CACHE) {
      if (!this.#hasCache) return FEATURE_NOT_CHANGEABLE
      this.cache = (value & 1) !== 0
    } else if (feature === FEATURE_QUEUES) {
      if (queuesInUse) return COMMAND_SEQUENCE_ERROR
      const submission = value & 0xffff
      const completion = value >>> 16
      if (submission === 0xffff || completion === 0xffff) return INVALID_FIELD
      this.#granted = Math.min(this.#mostQueues, Math.max(submission, completion) + 1)
      result[0] = ((this.#granted - 1) << 16) | (this.#granted - 1)
    } else if (this.#values.has(feature)) {
      this.#values.set(feature, value)
    } else return INVALID_FIELD
    return SUCCESS
  }
}

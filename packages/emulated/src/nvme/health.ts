import { ERROR_LOG_ENTRIES } from './identify-pages.ts'

/** What the controller counts and logs: SMART, errors, and events for the host. */

/** What strict checking found: each of these is a bug of the driver, or an injected fault. */
export const NVME_COUNTERS = [
  'commands',
  'completions',
  /** Memory that was to be read or written is not mapped. */
  'dmaFaults',
  /** A doorbell of a queue that is not there. */
  'doorbellsInvalidQueue',
  /** A doorbell value beyond the queue, or a head that overtakes the tail. */
  'doorbellsOutOfRange',
  'doorbellsWhileDisabled',
  'misalignedPointers',
  'identifierConflicts',
  /** Completions that found the queue full and had to wait. */
  'completionsDelayed',
  'completionsLost',
] as const
export type NvmeCounter = (typeof NVME_COUNTERS)[number]

/** Event types of dword 0 (figure 145), and the log page that clears each. */
const ERROR_EVENT = 0
const HEALTH_EVENT = 1
const NOTICE_EVENT = 2
const LOG_PAGES = [0x01, 0x02, 0x04]

export class Health {
  readonly counters: Record<NvmeCounter, number> = Object.fromEntries(NVME_COUNTERS.map((name) => [name, 0])) as Record<
    NvmeCounter,
    number
  >
  /** Kelvin. */
  temperature = 310
  temperatureThreshold = 343
  criticalWarning = 0
  /** Power cuts without a shutdown. */
  unsafeShutdowns = 0
  mediaErrors = 0
  unitsRead = 0
  unitsWritten = 0
  reads = 0
  writes = 0
  /** Of the async event configuration feature. */
  eventMask = 0
  readonly changedNamespaces = new Set<number>()
  #errors: Uint8Array[] = []
  #errorCount = 0
  /** Events that wait for a request, as dword 0. */
  #events: number[] = []
  /** Types that were reported, and whose log page was not read since. */
  readonly #masked = new Set<number>()

  /** @returns an event to report now, or undefined */
  takeEvent(): number | undefined {
    const index = this.#events.findIndex((event) => !this.#masked.has(event & 7))
    if (index < 0) return undefined
    const [event] = this.#events.splice(index, 1)
    this.#masked.add(event & 7)
    return event
  }

  error(information: number): void {
    this.#raise(ERROR_EVENT, information)
  }

  setTemperature(kelvin: number): void {
    this.temperature = kelvin
    const outside = kelvin >= this.temperatureThreshold
    this.criticalWarning = (this.criticalWarning & ~2) | (outside ? 2 : 0)
    if (outside && (this.eventMask & 2) !== 0) this.#raise(HEALTH_EVENT, 1)
  }

  namespaceChanged(number: number): void {
    this.changedNamespaces.add(number)
    if ((this.eventMask & (1 << 8)) !== 0) this.#raise(NOTICE_EVENT, 0)
  }

  /** The host read a log page: its type may be reported again. */
  logRead(page: number): void {
    const type = LOG_PAGES.indexOf(page)
    if (type >= 0) this.#masked.delete(type)
    if (page === 0x04) this.changedNamespaces.clear()
  }

  /** The controller was reset: who asked for events is gone. */
  reset(): void {
    this.#events = []
    this.#masked.clear()
    this.eventMask = 0
  }

  logError(queue: number, identifier: number, field: number, lba: number, namespace: number): void {
    const entry = new Uint8Array(64)
    const data = new DataView(entry.buffer)
    data.setUint32(0, ++this.#errorCount, true)
    data.setUint16(8, queue, true)
    data.setUint16(10, identifier, true)
    data.setUint16(12, field << 1, true)
    data.setUint16(14, 0xffff, true)
    data.setUint32(16, lba % 0x1_0000_0000, true)
    data.setUint32(20, Math.floor(lba / 0x1_0000_0000), true)
    data.setUint32(24, namespace, true)
    this.#errors = [entry, ...this.#errors].slice(0, ERROR_LOG_ENTRIES)
  }

  errorPage(): Uint8Array {
    const bytes = new Uint8Array(ERROR_LOG_ENTRIES * 64)
    for (const [i, entry] of this.#errors.entries()) bytes.set(entry, i * 64)
    return bytes
  }

  smartPage(): Uint8Array {
    const bytes = new Uint8Array(512)
    const data = new DataView(bytes.buffer)
    bytes[0] = this.criticalWarning
    data.setUint16(1, this.temperature, true)
    bytes[3] = 100
    bytes[4] = 10
    const counts: readonly (readonly [number, number])[] = [
      [32, Math.ceil(this.unitsRead / 1000)],
      [48, Math.ceil(this.unitsWritten / 1000)],
      [64, this.reads],
      [80, this.writes],
      [112, 1],
      [144, this.unsafeShutdowns],
      [160, this.mediaErrors],
      [176, this.#errorCount],
    ]
    for (const [at, count] of counts) data.setBigUint64(at, BigInt(count), true)
    return bytes
  }

  firmwarePage(): Uint8Array {
    const bytes = new Uint8Array(512)
    bytes[0] = 1
    bytes.set([0x31, 0x2e, 0x30, 0x20, 0x20, 0x20, 0x20, 0x20], 8)
    return bytes
  }

  changedPage(): Uint8Array {
    const bytes = new Uint8Array(4096)
    const data = new DataView(bytes.buffer)
    for (const [i, number] of [...this.changedNamespaces].sort((a, b) => a - b).entries())
      data.setUint32(4 * i, number, true)
    return bytes
  }

  #raise(type: number, information: number): void {
    const event = type | (information << 8) | ((LOG_PAGES[type] ?? 0) << 16)
    if (!this.#events.includes(event)) this.#events.push(event)
  }
}

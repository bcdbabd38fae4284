import type { RecordType, ResourceRecord } from './message.ts'

/** Longest that anything is believed, in seconds: a day (RFC 8767 section 4 gives a bound of this order). */
const LONGEST_TTL = 86_400
/** And that a name does not exist (RFC 2308 section 5). */
const LONGEST_NEGATIVE_TTL = 10_800

/** Why a question has no answer: there is no such name, or it has no records of the type. */
export type Absence = 'no such name' | 'no such record'

export interface CachedAnswer {
  readonly records: readonly ResourceRecord[]
  readonly absence: Absence | undefined
  /** Nanoseconds on the clock of whoever asks. */
  readonly expires: number
}

/** Answers by question, each as long as its records allow; bounded, and what was not used for longest goes first. */
export class DnsCache {
  readonly #entries = new Map<string, CachedAnswer>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  find(name: string, type: RecordType, now: number): CachedAnswer | undefined {
    const key = keyOf(name, type)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.expires <= now) return undefined
    this.#entries.set(key, entry)
    return entry
  }

  /** Remembers the records that answer a question, the aliases on the way included, for the shortest of their lives. */
  store(name: string, type: RecordType, records: readonly ResourceRecord[], now: number): void {
    const ttl = Math.min(LONGEST_TTL, ...records.map((record) => record.ttl))
    this.#store(name, type, { records, absence: undefined, expires: now + ttl * 1e9 })
  }

  /** Remembers that there is no answer; only with the zone's SOA record, which says for how long (RFC 2308 section 5). */
  storeAbsence(
    name: string,
    type: RecordType,
    absence: Absence,
    authority: readonly ResourceRecord[],
    now: number,
  ): void {
    const soa = authority.find((record) => record.type === 'SOA')
    if (soa?.type !== 'SOA') return
    const ttl = Math.min(LONGEST_NEGATIVE_TTL, soa.ttl, soa.minimum)
    this.#store(name, type, { records: [], absence, expires: now + ttl * 1e9 })
  }

  clear(): void {
    this.#entries.clear()
  }

  #store(name: string, type: RecordType, answer: CachedAnswer): void {
    const key = keyOf(name, type)
    this.#entries.delete(key)
    if (this.#entries.size >= this.#capacity) {
      const oldest = this.#entries.keys().next()
      if (!oldest.done) this.#entries.delete(oldest.value)
    }
    if (this.#capacity > 0) this.#entries.set(key, answer)
  }
}

const keyOf = (name: string, type: RecordType) => `${type} ${name}`

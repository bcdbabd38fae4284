import { ParakernelError } from '@parakernel/hal'
import type { RecordsCore } from './core.ts'
import { ENTRY_HEADER, entryBytes, entryIsWhole, keyLengthAt, operationAt, PUT } from './format.ts'
import { NONE } from './index/slots.ts'
import { RECORDS_CACHED, RECORDS_DAMAGED, RECORDS_GETS, RECORDS_READS } from './records.ts'

/** Bytes between two entries up to which both are read at once. */
const GAP = 4096

/** A value that has to be read: where its entry is, and where the value goes in the answer. */
interface Wanted {
  readonly slot: number
  readonly position: number
  readonly length: number
  readonly at: number
}

/** Brings the values of keys, from the cache or from the medium with one request each, and checks them. */
export class Values {
  readonly #core: RecordsCore

  constructor(core: RecordsCore) {
    this.#core = core
  }

  /** Of a slot as it is now, whatever happens to the key meanwhile. */
  get(slot: number): Promise<Uint8Array> {
    const { cache, counts } = this.#core
    counts[RECORDS_GETS]++
    const cached = cache.get(slot)
    if (cached === undefined) return this.#read(slot)
    counts[RECORDS_CACHED]++
    return Promise.resolve(cached)
  }

  /** As `get`, before it returns. @throws EBUSY within a round of the loop */
  getNow(slot: number): Uint8Array {
    const { cache, counts, index, log, reader, medium } = this.#core
    counts[RECORDS_GETS]++
    const cached = cache.get(slot)
    if (cached !== undefined) {
      counts[RECORDS_CACHED]++
      return cached
    }
    const position = index.slots.position[slot]
    const length = this.#bytesOf(slot)
    if (position + length > log.writtenPosition) {
      log.settle().catch(() => {})
      medium.loop.runUntil(() => log.failure !== undefined || position + length <= log.writtenPosition)
      if (log.failure !== undefined) throw log.failure
    }
    counts[RECORDS_READS]++
    return this.#check(reader.readNow(position, length), 0, length, slot, index.keyOf(slot), position)
  }

  /** Of many slots, `NONE` for none; entries that lie close to each other come with one request. */
  async many(slots: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    const { cache, counts, readers } = this.#core
    const values = new Array<Uint8Array | undefined>(slots.length).fill(undefined)
    const wanted: Wanted[] = []
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]
      if (slot === NONE) continue
      counts[RECORDS_GETS]++
      const cached = cache.get(slot)
      if (cached !== undefined) {
        counts[RECORDS_CACHED]++
        values[at] = cached
      } else wanted.push({ slot, position: this.#core.index.slots.position[slot], length: this.#bytesOf(slot), at })
    }
    if (wanted.length === 0) return values
    const keys = wanted.map(({ slot }) => this.#core.index.keyOf(slot))
    const generation = readers.enter()
    try {
      await this.#runs(wanted, keys, values)
    } finally {
      readers.leave(generation)
    }
    return values
  }

  async #read(slot: number): Promise<Uint8Array> {
    const { index, readers, reader, counts } = this.#core
    const position = index.slots.position[slot]
    const length = this.#bytesOf(slot)
    const key = index.keyOf(slot)
    const generation = readers.enter()
    try {
      await this.#written(position + length)
      counts[RECORDS_READS]++
      return this.#check(await this.#guarded(reader.read(position, length), key), 0, length, slot, key, position)
    } finally {
      readers.leave(generation)
    }
  }

  async #runs(wanted: Wanted[], keys: Uint8Array[], values: (Uint8Array | undefined)[]): Promise<void> {
    const { reader, counts } = this.#core
    const order = wanted.map((_, i) => i).sort((a, b) => wanted[a].position - wanted[b].position)
    const last = wanted[order[order.length - 1]]
    await this.#written(last.position + last.length)
    const runs: Promise<void>[] = []
    for (let i = 0; i < order.length; ) {
      const first = i
      const { position } = wanted[order[i]]
      let end = position + wanted[order[i]].length
      for (i++; i < order.length; i++) {
        const next = wanted[order[i]]
        if (next.position > end + GAP || next.position + next.length - position > reader.reach) break
        end = Math.max(end, next.position + next.length)
      }
      const members = order.slice(first, i)
      counts[RECORDS_READS]++
      const run = async () => {
        const bytes = await this.#guarded(reader.read(position, end - position), keys[members[0]])
        for (const member of members) {
          const { slot, position: at, length, at: place } = wanted[member]
          values[place] = this.#check(bytes, at - position, length, slot, keys[member], at)
        }
      }
      runs.push(run())
    }
    // All of them come to their end, so that nobody reads any more when this has.
    const failed = (await Promise.allSettled(runs)).find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Until all below a position is on the medium. */
  async #written(position: number): Promise<void> {
    if (position > this.#core.log.writtenPosition) await this.#core.log.settle()
  }

  async #guarded(bytes: Promise<Uint8Array>, key: Uint8Array): Promise<Uint8Array> {
    try {
      return await bytes
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code !== 'EIO') throw error
      throw this.#damaged('EIO', key, 'cannot be read from the media')
    }
  }

  /** The value of an entry, and a copy of it for the cache. @throws EUCLEAN when it is not the entry of the key */
  #check(bytes: Uint8Array, at: number, length: number, slot: number, key: Uint8Array, position: number): Uint8Array {
    const { cache, index } = this.#core
    const whole = entryIsWhole(bytes, at, length) && operationAt(bytes, at) === PUT
    if (!whole || keyLengthAt(bytes, at) !== key.length || !sameBytes(bytes, at + ENTRY_HEADER, key)) {
      throw this.#damaged('EUCLEAN', key, `at position ${position} fails its checksum`)
    }
    const from = at + ENTRY_HEADER + key.length
    const value = bytes.slice(from, at + length)
    // Only what is still so: the key may have been given another value since, or its slot to another key.
    if (index.slots.position[slot] === position) cache.keep(slot, value, 0, value.length)
    return value
  }

  #damaged(code: 'EIO' | 'EUCLEAN', key: Uint8Array, what: string): ParakernelError {
    this.#core.counts[RECORDS_DAMAGED]++
    return new ParakernelError(code, `the value of key ${describeKey(key)} ${what}`, {
      subject: this.#core.name,
      remedy: 'Put it again, or run `scrub` to see what else is lost',
    })
  }

  #bytesOf(slot: number): number {
    const { slots } = this.#core.index
    return entryBytes(slots.keyLength[slot], slots.valueLength[slot])
  }
}

function sameBytes(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false
  return true
}

/** As text where it is, else as hexadecimal digits; short. */
export function describeKey(key: Uint8Array): string {
  const text = new TextDecoder().decode(key.subarray(0, 40))
  const more = key.length > 40 ? '...' : ''
  if (!/[\p{C}\uFFFD]/u.test(text)) return `"${text}${more}"`
  return `0x${Array.from(key.subarray(0, 20), (byte) => byte.toString(16).padStart(2, '0')).join('')}${key.length > 20 ? '...' : ''}`
}

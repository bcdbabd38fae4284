import { ParakernelError } from '@parakernel/hal'
import { Cursor } from './cursor.ts'
import { seededRandom } from './random.ts'
import type { Recording } from './recording.ts'
import { everyMask, maskFromText, maskToText, sampledMasks } from './subsets.ts'

export interface CrashStatesOptions {
  /** Of the samples where there are too many states to try each. Default 1. */
  readonly seed?: number
  /** Most states in all. Default 10,000. */
  readonly limit?: number
}

/** What a power cut may have left. */
export class CrashState {
  /** Events that had happened: whatever was acknowledged at this position or before was promised. */
  readonly position: number
  readonly #recording: Recording
  readonly #cursor: Cursor
  readonly #mask: Uint8Array
  readonly #order: number

  /** @internal */
  constructor(recording: Recording, cursor: Cursor, mask: Uint8Array, order: number) {
    this.position = cursor.position
    this.#recording = recording
    this.#cursor = cursor
    this.#mask = mask
    this.#order = order
  }

  /** Repeats the state: `crashState(recording, name)` over a recording of the same run. */
  get name(): string {
    return `${this.position}:${maskToText(this.#mask)}${this.#order === 0 ? '' : `~${this.#order}`}`
  }

  /**
   * The whole content of the device.
   * @param into at least as long; without it the result is one buffer that all states of an enumeration share, good until the
   * next call, which may be written to meanwhile
   */
  image(into?: Uint8Array): Uint8Array {
    if (this.#cursor.position === this.position) return this.#cursor.image(this.#mask, this.#order, into)
    return crashState(this.#recording, this.name).image(into)
  }
}

/**
 * States that a power cut may leave, at every event of a recording: the device as it surely was, with any subset of what was not
 * yet sure, torn at each atomic unit, and in any order where overlapping writes were under way together. All of them where they are few;
 * where they are not, samples by the seed, spread over the whole recording so that there are at most `limit`.
 */
export function* crashStates(
  recording: Recording,
  { seed = 1, limit = 10_000 }: CrashStatesOptions = {},
): Generator<CrashState, void, void> {
  const boundaries = recording.boundaries
  const budget = allot(recording, limit)
  const cursor = new Cursor(recording)
  const random = seededRandom(seed)
  for (const [i, position] of boundaries.entries()) {
    if (budget[i] === 0) continue
    cursor.moveTo(position)
    const { optional, orders } = cursor
    const all = 2 ** optional.length * orders
    if (all <= budget[i]) {
      for (const mask of everyMask(optional.length)) {
        for (let order = 0; order < orders; order++) yield new CrashState(recording, cursor, mask.slice(), order)
      }
      continue
    }
    const seen = new Set<string>()
    // A draw that was made before counts against the budget's double, so that the search ends.
    let draws = 2 * budget[i]
    for (const mask of sampledMasks(optional, random, budget[i] < 8)) {
      const state = new CrashState(recording, cursor, mask.slice(), orders === 1 ? 0 : Math.floor(random() * orders))
      const { name } = state
      if (!seen.has(name)) {
        seen.add(name)
        yield state
      }
      if (seen.size >= budget[i] || --draws <= 0) break
    }
  }
}

/** The state of this name. @throws EINVAL when the recording has none such: it is of another run */
export function crashState(recording: Recording, name: string): CrashState {
  const [, digits = '', text = '', order = '0'] = /^(\d+):([0-9a-f]*)(?:~(\d+))?$/.exec(name) ?? []
  const position = Number(digits)
  if (digits !== '' && position <= recording.position) {
    const cursor = new Cursor(recording)
    cursor.moveTo(position)
    const mask = maskFromText(text, cursor.optional.length)
    if (mask !== undefined && Number(order) < cursor.orders)
      return new CrashState(recording, cursor, mask, Number(order))
  }
  throw new ParakernelError('EINVAL', `has no crash state '${name}'`, {
    subject: `recording of ${recording.name}`,
    remedy: 'Repeat the run that the name comes from, with the same seed',
  })
}

/** How many states each boundary gets: what it has if that is little, and an equal share of the rest. */
function allot(recording: Recording, limit: number): number[] {
  const { boundaries, pieces } = recording
  const needs = countChoices(recording)
  const budget = new Array<number>(boundaries.length).fill(0)
  const order = boundaries.map((_, i) => i).sort((a, b) => needs[a] - needs[b])
  let left = limit
  if (limit < boundaries.length) {
    // One state each for boundaries at equal distances.
    for (let i = 0; i < limit; i++) budget[Math.floor((i * boundaries.length) / limit)] = 1
    return budget
  }
  for (const [i, boundary] of order.entries()) {
    budget[boundary] = Math.min(needs[boundary], Math.floor(left / (order.length - i)))
    left -= budget[boundary]
  }
  return pieces.length === 0 ? budget.map(() => 1) : budget
}

/** States of each boundary, or Infinity for more than can be counted. */
function countChoices(recording: Recording): number[] {
  const cursor = new Cursor(recording)
  return recording.boundaries.map((position) => {
    cursor.moveTo(position)
    const count = cursor.optional.length
    return count > 24 ? Number.POSITIVE_INFINITY : 2 ** count * cursor.orders
  })
}

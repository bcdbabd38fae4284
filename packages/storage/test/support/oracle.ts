import type { Recording } from '@parakernel/probes'
import type { Log } from '../../src/index.ts'

interface Version {
  readonly bytes: Uint8Array
  /** Position from which on the sequence cannot have this content any more: it was recovered without, or with another. */
  until: number
}

/** What a log promised, by positions in the recording of its device. */
export class LogOracle {
  readonly #recording: Recording
  readonly #versions = new Map<number, Version[]>()
  /** [position, sequence]: from there on all records up to it are durable. */
  readonly #acknowledged: [number, number][] = []
  readonly #asked: [number, number][] = []
  readonly #truncated: [number, number][] = []
  readonly #epochs: [number, number][] = []
  /** Positions between which the log is closed for sure. */
  readonly #closed: [number, number][] = []

  constructor(recording: Recording) {
    this.#recording = recording
  }

  appended(sequence: number, bytes: Uint8Array): void {
    const versions = this.#versions.get(sequence) ?? []
    versions.push({ bytes, until: Infinity })
    this.#versions.set(sequence, versions)
  }

  acknowledged(sequence: number): void {
    this.#acknowledged.push([this.#recording.position, sequence])
  }

  truncating(before: number): void {
    this.#asked.push([this.#recording.position, before])
  }

  truncated(before: number): void {
    this.#truncated.push([this.#recording.position, before])
  }

  closed(): void {
    this.#closed.push([this.#recording.position, Infinity])
  }

  opening(): void {
    const last = this.#closed.at(-1)
    if (last !== undefined && last[1] === Infinity) last[1] = this.#recording.position
  }

  /** The log was opened again, and has the records below `next`: they are promised, and others never were. */
  reopened(next: number, epoch: number): void {
    this.acknowledged(next - 1)
    this.#epochs.push([this.#recording.position, epoch])
    for (const [sequence, versions] of this.#versions) {
      if (sequence >= next)
        for (const version of versions) version.until = Math.min(version.until, this.#recording.position)
    }
  }

  /** Why a log that was opened on what was left at `position` breaks a promise; undefined when it keeps all. */
  async verdict(log: Log, position: number): Promise<string | undefined> {
    const least = last(this.#acknowledged, position)
    const first = last(this.#truncated, position, 1)
    const mostFirst = Math.max(first, last(this.#asked, position, 1))
    if (log.next <= least) return `record ${least} was acknowledged, the log ends before ${log.next}`
    if (log.first < first || log.first > mostFirst) return `begins at ${log.first}, not in ${first} to ${mostFirst}`
    if (this.#closed.some(([from, to]) => position >= from && position < to) && !log.recovery.clean) {
      return 'was closed, and is not clean'
    }
    if (log.epoch <= last(this.#epochs, position)) return `epoch ${log.epoch} was there before`
    let expected = log.first
    let wrong: string | undefined
    await log.visit((sequence, bytes, at, length) => {
      if (sequence !== expected) wrong = `${sequence} instead of ${expected}`
      else if (!this.#known(sequence, bytes.subarray(at, at + length), position))
        wrong = `record ${sequence} was never written`
      expected++
      return wrong === undefined
    })
    if (wrong === undefined && expected !== log.next) return `ends at ${expected}, not at ${log.next}`
    return wrong
  }

  #known(sequence: number, bytes: Uint8Array, position: number): boolean {
    return (this.#versions.get(sequence) ?? []).some(
      (version) => version.until > position && Buffer.compare(version.bytes, bytes) === 0,
    )
  }
}

/** The greatest value among those noted at `position` or before. */
function last(notes: readonly (readonly [number, number])[], position: number, none = 0): number {
  let value = none
  for (const [at, what] of notes) if (at <= position && what > value) value = what
  return value
}

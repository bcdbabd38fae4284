import type { NetworkFeature } from './fixture.ts'
import type { Pair } from './pair.ts'

/** Adds a case: what it shows, what it does with a fresh pair, and what it needs that an implementation may lack. */
export type Define = (title: string, body: (pair: Pair) => Promise<void> | void, needs?: NetworkFeature) => void

/** A part of the contract. */
export interface Section {
  readonly name: string
  /** What all of its cases need. */
  readonly needs?: readonly NetworkFeature[]
  cases(define: Define): void
}

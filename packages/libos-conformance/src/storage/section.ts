import type { StorageFeature, StorageSetup } from './fixture.ts'
import type { Subject } from './subject.ts'

export interface CaseOptions {
  /** What it needs that an implementation may lack. */
  readonly needs?: StorageFeature
  readonly setup?: StorageSetup
}

/** Adds a case: what it shows, and what it does with a fresh volume. */
export type Define = (title: string, body: (subject: Subject) => Promise<void> | void, options?: CaseOptions) => void

/** A part of the contract. */
export interface Section {
  readonly name: string
  cases(define: Define): void
}

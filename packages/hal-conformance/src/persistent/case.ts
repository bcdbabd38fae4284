import type { CaseResult } from '../case.ts'
import type { PersistentFixture } from './fixture.ts'
import type { PersistentSession } from './session.ts'

/** One test of the suite, as data. */
export interface PersistentCase {
  readonly title: string
  /** Why the case does not apply to this fixture; undefined when it does. */
  readonly unless?: (fixture: PersistentFixture) => string | undefined
  /** Wants a fixture of its own, because it ends the device. */
  readonly ends?: boolean
  /** Uses regions in worker threads. */
  readonly workers?: boolean
  readonly run: (session: PersistentSession) => CaseResult | Promise<CaseResult>
}

export interface PersistentGroup {
  readonly name: string
  readonly cases: readonly PersistentCase[]
}

export const hook = (name: 'powerCut' | 'poison' | 'reopen') => (fixture: PersistentFixture) =>
  fixture[name] === undefined ? `the fixture has no ${name} hook` : undefined

export const inWorkers = ({ noWorkers }: PersistentFixture) => noWorkers

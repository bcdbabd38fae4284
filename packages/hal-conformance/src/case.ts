import type { Fixture } from './fixture.ts'
import type { Session } from './session.ts'

// biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement answers
export type CaseResult = string | void

/** One test of the suite, as data. */
export interface Case {
  readonly title: string
  /** Why the case does not apply to this fixture; undefined when it does. */
  readonly unless?: (fixture: Fixture) => string | undefined
  /** Wants a fixture of its own, because it ends the device. */
  readonly ends?: boolean
  /** Uses queues in worker threads. */
  readonly workers?: boolean
  /** Milliseconds, where the default of the project is not enough. */
  readonly timeout?: number
  /** May answer a reason why it turned out not to apply. */
  readonly run: (session: Session) => CaseResult | Promise<CaseResult>
}

export interface Group {
  readonly name: string
  readonly cases: readonly Case[]
}

/** The first reason of several conditions. */
export function unless(...conditions: ((fixture: Fixture) => string | undefined)[]) {
  return (fixture: Fixture): string | undefined => {
    for (const condition of conditions) {
      const reason = condition(fixture)
      if (reason !== undefined) return reason
    }
    return undefined
  }
}

export const severalQueues = (fixture: Fixture) =>
  fixture.device.queues < 2 ? 'the device has a single queue' : undefined

export const inWorkers = (fixture: Fixture) =>
  fixture.device.capabilities.attach === 'thread' ? 'queues of the device stay in their thread' : undefined

/** The fixture has a certain hook. */
export const hook = (name: 'setLink' | 'setMtu' | 'setMac' | 'remove') => (fixture: Fixture) =>
  fixture[name] === undefined ? `the fixture has no ${name} hook` : undefined

export const stalls = (fixture: Fixture) =>
  fixture.wire.stall === undefined ? 'the wire cannot be stalled' : undefined

/** A capability is there. */
export const capable = (what: string, test: (fixture: Fixture) => boolean) => (fixture: Fixture) =>
  test(fixture) ? undefined : `the device has no ${what}`

/** A capability is not there: the negative of the case. */
export const incapable = (what: string, test: (fixture: Fixture) => boolean) => (fixture: Fixture) =>
  test(fixture) ? `the device has ${what}` : undefined

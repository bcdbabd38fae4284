import { BLOCK_COMPARE, BLOCK_DEALLOCATE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES } from '@parakernel/hal'
import type { CaseResult } from '../case.ts'
import type { BlockFixture } from './fixture.ts'
import type { BlockSession } from './session.ts'

/** One test of the suite, as data. */
export interface BlockCase {
  readonly title: string
  /** Why the case does not apply to this fixture; undefined when it does. */
  readonly unless?: (fixture: BlockFixture) => string | undefined
  /** Wants a fixture of its own, because it ends the device. */
  readonly ends?: boolean
  /** Uses queues in worker threads. */
  readonly workers?: boolean
  readonly timeout?: number
  /** May answer a reason why it turned out not to apply. */
  readonly run: (session: BlockSession) => CaseResult | Promise<CaseResult>
}

export interface BlockGroup {
  readonly name: string
  readonly cases: readonly BlockCase[]
}

type Condition = (fixture: BlockFixture) => string | undefined

/** The first reason of several conditions. */
export function unless(...conditions: Condition[]): Condition {
  return (fixture) => {
    for (const condition of conditions) {
      const reason = condition(fixture)
      if (reason !== undefined) return reason
    }
    return undefined
  }
}

export const severalQueues: Condition = ({ device }) =>
  device.queues < 2 ? 'the device has a single queue' : undefined

export const inWorkers: Condition = ({ device }) =>
  device.capabilities.attach === 'thread' ? 'queues of the device stay in their thread' : undefined

export const hook =
  (name: 'powerCut' | 'remove' | 'reopen'): Condition =>
  (fixture) =>
    fixture[name] === undefined ? `the fixture has no ${name} hook` : undefined

const NAMES: Readonly<Record<number, string>> = {
  [BLOCK_FLUSH]: 'flush',
  [BLOCK_WRITE_ZEROES]: 'write zeroes',
  [BLOCK_DEALLOCATE]: 'deallocate',
  [BLOCK_COMPARE]: 'compare',
}

export const takes =
  (opcode: number): Condition =>
  ({ device }) =>
    device.capabilities.opcodes & (1 << opcode) ? undefined : `the device has no ${NAMES[opcode]}`

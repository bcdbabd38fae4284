import type { FetchedCommand } from './queues.ts'

/** What goes wrong with a command. */
export type FaultAction =
  /** It fails, without having had an effect. `type << 8 | code`; DNR only if it is asked for. */
  | { readonly status: number; readonly doNotRetry?: boolean }
  /** Never done, until it is aborted; `for-ever`: an abort does not help either. */
  | { readonly hang: 'until-abort' | 'for-ever' }
  /** Nanoseconds more. */
  | { readonly delay: number }
  /** It is done, and its completion is wrong, or there is none. */
  | {
      readonly completion:
        | 'lost'
        | 'twice'
        | 'wrong-identifier'
        | 'wrong-queue'
        | 'wrong-head'
        | 'rubbish'
        /** Written with the phase bit of the last round: it is not there for the host until the ring comes round. */
        | 'wrong-phase'
    }
  /** It is done, and what it returns is random bytes. */
  | { readonly data: 'rubbish' }
  /** The controller dies of it: CSTS.CFS. */
  | { readonly controller: 'fatal' | 'removed' }

/** Which commands, and what becomes of them. Absent conditions match everything. */
export interface FaultRule {
  readonly opcode?: number
  /** 0 is the admin queue. Absent: any I/O queue. */
  readonly queue?: number
  readonly namespace?: number
  /** Commands that touch this range of blocks. */
  readonly firstLba?: number
  readonly blocks?: number
  /** Matches that are let through first. */
  readonly after?: number
  /** How often it strikes; 1 when absent. */
  readonly times?: number
  readonly action: FaultAction
}

interface ArmedRule {
  readonly rule: FaultRule
  passed: number
  left: number
}

export class Faults {
  readonly #rules: ArmedRule[] = []
  /** Rules that struck. */
  struck = 0

  add(rule: FaultRule): void {
    this.#rules.push({ rule, passed: 0, left: rule.times ?? 1 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  /** What becomes of a command; undefined: nothing out of the ordinary. */
  of(command: FetchedCommand): FaultAction | undefined {
    for (const armed of this.#rules) {
      if (armed.left === 0 || !matches(armed.rule, command)) continue
      if (armed.passed++ < (armed.rule.after ?? 0)) continue
      armed.left--
      this.struck++
      return armed.rule.action
    }
    return undefined
  }
}

function matches(rule: FaultRule, { queue, opcode, words }: FetchedCommand): boolean {
  if (rule.queue === undefined ? queue.number === 0 : queue.number !== rule.queue) return false
  if (rule.opcode !== undefined && rule.opcode !== opcode) return false
  if (rule.namespace !== undefined && rule.namespace !== words[1]) return false
  if (rule.firstLba === undefined) return true
  const lba = (words[10] >>> 0) + (words[11] >>> 0) * 0x1_0000_0000
  const end = lba + (words[12] & 0xffff) + 1
  return lba < rule.firstLba + (rule.blocks ?? 1) && end > rule.firstLba
}

import type { ArgsDef } from 'citty'
import type { Invocation } from '../invocation.ts'

/** One command of the program. */
export interface Command {
  readonly name: string
  readonly description: string
  /** Words that it takes, as its usage shows them. */
  readonly words: string
  /** How many of them there must be, and may be. */
  readonly least: number
  readonly most: number
  /** Flags of its own. */
  readonly args: ArgsDef
  readonly examples: readonly string[]
  /** Returns the exit code, ok when nothing. */
  run(invocation: Invocation): Promise<number | undefined>
}

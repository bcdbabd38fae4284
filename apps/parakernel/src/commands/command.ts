import type { ArgsDef } from 'citty'
import type { Terminal } from '../terminal.ts'

/** A command line that was understood. */
export interface Invocation {
  readonly args: Readonly<Record<string, unknown>>
  /** Words that are no flags. */
  readonly words: readonly string[]
  readonly json: boolean
  readonly terminal: Terminal
  /** Ends with SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

/** One command of the program. */
export interface Command {
  readonly name: string
  readonly description: string
  /** Words that it takes, as its usage shows them. */
  readonly words: string
  /** How many of them there must be, and may be. */
  readonly least: number
  readonly most: number
  readonly args: ArgsDef
  readonly examples: readonly string[]
  /** Returns the exit code. */
  run(invocation: Invocation): Promise<number>
}

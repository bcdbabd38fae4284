/** Whom a process runs as, once it has given up everything else. */
export interface ProcessUser {
  readonly uid: number
  readonly gid: number
}

/** A program that takes the place of the calling one, with fewer rights. */
export interface ConfinedProgram {
  /** Of the executable. */
  readonly file: string
  readonly args: readonly string[]
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Descriptors 0 to `descriptors` - 1 stay open, all others are closed. */
  readonly descriptors: number
  /** Needs the right to become that user. Absent: the user stays, and its other processes are in reach. */
  readonly user?: ProcessUser
  /** The process that this one must not outlive: its parent. */
  readonly parent: number
}

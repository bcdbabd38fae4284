/** What the program ends with. */
export const EXIT = {
  ok: 0,
  /** Something could not be done; the message says what. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** What was looked at ended meanwhile. */
  ended: 3,
  /** By SIGINT, as shells have it. */
  interrupted: 130,
} as const

/** Ends the program with a code and a message, without a stack. */
export class Failure extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

export const usageError = (message: string): Failure => new Failure(EXIT.usage, message)

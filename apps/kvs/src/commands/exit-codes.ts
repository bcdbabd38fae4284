import { constants } from 'node:os'

/** Exit code of a process that a signal ended, as shells have it. */
export const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal]

export const INTERRUPTED = exitCodeOf('SIGINT')

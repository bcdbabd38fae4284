import type { Event } from '../language/script.ts'

/** A script that does not hold: the line, what was wrong there, and everything that happened before. */
export class ScriptFailure extends Error {
  readonly line: number
  readonly reason: string

  constructor(event: Pick<Event, 'file' | 'line' | 'text'>, reason: string, trace: readonly string[]) {
    super(`${event.file}:${event.line}: ${reason}\n    ${event.text}\n  what happened:\n    ${trace.join('\n    ')}`)
    this.name = 'ScriptFailure'
    this.line = event.line
    this.reason = reason
  }
}

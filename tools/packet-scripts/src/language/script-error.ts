/** A script that cannot be read: where, what was found, and what is allowed there. */
export class ScriptError extends Error {
  readonly file: string
  readonly line: number
  readonly column: number

  constructor(file: string, line: number, column: number, message: string) {
    super(`${file}:${line}:${column}: ${message}`)
    this.name = 'ScriptError'
    this.file = file
    this.line = line
    this.column = column
  }
}

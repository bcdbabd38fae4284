/** What a command reads from and writes to: the process's own streams, or a test's. */
export interface Terminal {
  /** A line of the result. */
  out(line: string): void
  /** A line about it. */
  err(line: string): void
  /** Where the live view is drawn; undefined where nobody watches. */
  readonly screen: NodeJS.WriteStream | undefined
  /** Where its keys come from. */
  readonly keys: NodeJS.ReadStream | undefined
}

/** That of this process. */
export const processTerminal: Terminal = {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  screen: process.stdout.isTTY && process.env['TERM'] !== 'dumb' ? process.stdout : undefined,
  keys: process.stdin.isTTY ? process.stdin : undefined,
}

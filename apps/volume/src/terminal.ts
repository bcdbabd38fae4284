/** What a command reads from and writes to: the process's own streams, or a test's. */
export interface Terminal {
  /** A line of the result. */
  out(line: string): void
  /** A line about it. */
  err(line: string): void
  /** Bytes of the result; resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>
  readonly input: AsyncIterable<Uint8Array>
  /** Where progress is shown, if it is. */
  readonly progress: NodeJS.WriteStream | undefined
}

/** That of this process. */
export const processTerminal: Terminal = {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  write(bytes) {
    return new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  },
  input: process.stdin,
  progress: process.stderr,
}

import { program } from '../../src/program.ts'
import { Terminal } from '../../src/run/terminal.ts'

/** An example that runs: in this process, or in one that stands in for another machine. */
export interface Run {
  /** The transcript so far, and everything else. */
  printed(): string
  noted(): string
  /** Asks an end that serves for its report. */
  interrupt(): void
  readonly exited: Promise<number>
}

/** Runs `examples ...argv` in this process. */
export function start(
  argv: readonly string[],
  heard: (what: 'printed' | 'noted', text: string) => void = () => {},
): Run {
  const texts = { printed: '', noted: '' }
  const take = (what: 'printed' | 'noted') => (text: string) => {
    texts[what] += text
    heard(what, text)
  }
  const interrupt = new AbortController()
  const terminal = new Terminal(take('printed'), take('noted'))
  return {
    printed: () => texts.printed,
    noted: () => texts.noted,
    interrupt: () => interrupt.abort(),
    exited: program(argv, terminal, interrupt.signal),
  }
}

/** To its end, which must be a good one; returns the transcript. */
export async function transcriptOf(argv: readonly string[]): Promise<string> {
  const run = start(argv)
  const code = await run.exited
  if (code !== 0) throw new Error(`examples ${argv.join(' ')} ended with ${code}: ${run.noted()}`)
  return run.printed()
}

/** Until its ends serve, or it has ended without. */
export async function serving(run: Run): Promise<void> {
  let code: number | undefined
  void run.exited.then((ended) => {
    code = ended
  })
  while (!run.noted().includes('serving: ')) {
    if (code !== undefined) throw new Error(`it ended with ${code}: ${run.noted()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

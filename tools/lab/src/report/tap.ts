export interface GuestResult {
  /** From 1. */
  readonly number: number
  readonly name: string
  readonly state: 'passed' | 'failed' | 'skipped'
  /** Why it failed or was skipped. */
  readonly note: string
  /** In the machine's time. */
  readonly milliseconds: number
}

export interface TapReport {
  /** Tests that were announced; undefined when the stream ended before that. */
  readonly planned: number | undefined
  readonly results: readonly GuestResult[]
}

/** Reads TAP 14 with the diagnostics that our runner writes. Lines of other programs in between are ignored. */
export function parseTap(lines: Iterable<string>): TapReport {
  let planned: number | undefined
  const results: { -readonly [K in keyof GuestResult]: GuestResult[K] }[] = []
  let inMessage = false
  let inBlock = false
  for (const line of lines) {
    const last = results.at(-1)
    const plan = /^1\.\.(\d+)$/.exec(line)
    const point = /^(not )?ok (\d+) - (.*?)(?: # SKIP (.*))?$/.exec(line)
    if (plan !== null) planned = Number(plan[1])
    else if (point !== null) {
      const [, not, number, name = '', skipped] = point
      const state = not !== undefined ? 'failed' : skipped === undefined ? 'passed' : 'skipped'
      results.push({ number: Number(number), name: unescapeTap(name), state, note: skipped ?? '', milliseconds: 0 })
      inBlock = inMessage = false
    } else if (line === '  ---') inBlock = last !== undefined
    else if (line === '  ...') inBlock = inMessage = false
    else if (inBlock && last !== undefined) {
      const duration = /^ {2}duration_ms: ([\d.]+)$/.exec(line)
      if (duration !== null) last.milliseconds = Number(duration[1])
      else if (line === '  message: |') inMessage = true
      else if (inMessage) last.note += `${last.note === '' ? '' : '\n'}${line.slice(4)}`
    }
  }
  return { planned, results }
}

function unescapeTap(name: string): string {
  return name.replace(/\\([\\#])/g, '$1')
}

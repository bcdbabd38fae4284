import type { ChromeEvent } from '@parakernel/hal'
import { expect } from 'vitest'

interface Trace {
  readonly traceEvents: readonly ChromeEvent[]
  readonly otherData?: Readonly<Record<string, unknown>>
}

/** Holds a trace against the Trace Event Format: fields by phase, order of time and proper nesting within each thread. */
export function expectChromeTrace(trace: Trace): Trace {
  const last = new Map<string, number>()
  const open = new Map<string, number[]>()
  for (const event of trace.traceEvents) {
    const { name, ph, ts, dur, pid, tid } = event
    expect(event).toMatchObject({ name: expect.any(String), ph: expect.stringMatching(/^[XiMCbe]$/) })
    for (const number of [ts, pid, tid]) expect(Number.isFinite(number), JSON.stringify(event)).toBe(true)
    if (ph === 'M') {
      expect(['process_name', 'thread_name', 'thread_labels']).toContain(name)
      continue
    }
    const thread = `${pid} ${tid}`
    expect(ts).toBeGreaterThanOrEqual(last.get(thread) ?? 0)
    last.set(thread, ts)
    if (ph === 'i') expect(event.s).toBe('t')
    if (ph !== 'X') continue
    expect(dur).toBeGreaterThanOrEqual(0)
    const ends = open.get(thread) ?? []
    // Times are doubles of some 1e12 microseconds: three digits behind the point.
    while (ends.length > 0 && ends[ends.length - 1] <= ts + 0.01) ends.pop()
    const end = ts + (dur ?? 0)
    if (ends.length > 0) expect(end, JSON.stringify(event)).toBeLessThanOrEqual(ends[ends.length - 1] + 0.01)
    ends.push(end)
    open.set(thread, ends)
  }
  return trace
}

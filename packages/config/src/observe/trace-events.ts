import type { ChromeEvent, RecordRing, TraceRecord } from '@parakernel/hal'
import { TRACE_GATHER, TRACE_NODE, TRACE_ROUND, TRACE_SLEEP, TRACE_STALL, TRACE_TIMERS } from '@parakernel/kernel'

/** A trace as viewers read it. */
export interface ChromeTrace {
  readonly traceEvents: readonly ChromeEvent[]
  readonly displayTimeUnit: 'ns'
  readonly otherData: Readonly<Record<string, string | number>>
}

export function processName(pid: number, name: string): ChromeEvent {
  return { name: 'process_name', ph: 'M', ts: 0, pid, tid: 0, args: { name } }
}

/** What a loop did, in the order of time; a thread of the machine that is process `pid`. */
export function loopEvents(name: string, ring: RecordRing, pid: number, tid: number, since: number): ChromeEvent[] {
  const records = ring.records().filter(({ end }) => end >= since)
  // A slice that lies in another one comes after it.
  records.sort((one, other) => one.start - other.start || other.end - one.end)
  return [
    { name: 'thread_name', ph: 'M', ts: 0, pid, tid, args: { name } },
    ...records.map((record) => toEvent(record, pid, tid)),
  ]
}

/** The events of a device's own trace, under the number `pid` and in the order of time. */
export function deviceEvents(events: readonly ChromeEvent[], pid: number, since: number): ChromeEvent[] {
  return events
    .filter(({ ph, ts, dur = 0 }) => ph === 'M' || ts + dur >= since / 1e3)
    .map((event) => ({ ...event, pid }))
    .sort((one, other) => one.ts - other.ts || (other.dur ?? 0) - (one.dur ?? 0))
}

function toEvent({ kind, start, end, a, b }: TraceRecord, pid: number, tid: number): ChromeEvent {
  const slice = { cat: 'loop', ph: 'X', ts: start / 1e3, dur: (end - start) / 1e3, pid, tid } as const
  switch (kind) {
    case TRACE_ROUND:
      return { ...slice, name: 'round', args: { work: a, timers: b } }
    case TRACE_TIMERS:
      return { ...slice, name: 'timers', args: { fired: a } }
    case TRACE_SLEEP:
      return { ...slice, name: 'sleep' }
    case TRACE_GATHER:
      return { ...slice, name: 'gather' }
    case TRACE_STALL:
      return { ...slice, name: 'stall' }
    case TRACE_NODE:
      return { ...slice, name: "Node's loop" }
    default:
      return { ...slice, name: `record of kind ${kind}` }
  }
}

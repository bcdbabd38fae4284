import type { ChromeEvent, RecordRing, TraceRecord } from '@parakernel/hal'
import { RECEIVE, REFUSED_ENTRIES, RING_FULL, SLEEP, TRANSMIT } from './record-kinds.ts'

/** The events of a device's queues: the device is the process, each queue a thread of it. */
export function chromeTrace(device: string, rings: ReadonlyMap<number, RecordRing>): { traceEvents: ChromeEvent[] } {
  const traceEvents: ChromeEvent[] = [meta('process_name', 0, device)]
  for (const [queue, ring] of rings) {
    const records = ring.records()
    traceEvents.push(meta('thread_name', queue, `queue ${queue}`))
    const overwritten = ring.written - records.length
    if (overwritten > 0) traceEvents.push(meta('thread_labels', queue, `${overwritten} older events overwritten`))
    for (const record of records) traceEvents.push(toEvent(record, queue))
  }
  return { traceEvents }
}

function toEvent(record: TraceRecord, tid: number): ChromeEvent {
  const { kind, start, end, a, b } = record
  const common = { cat: 'net', ts: start / 1e3, pid: 1, tid }
  const slice = { ...common, ph: 'X' as const, dur: (end - start) / 1e3 }
  const instant = { ...common, ph: 'i' as const, s: 't' as const, ts: end / 1e3 }
  switch (kind) {
    case RECEIVE:
      return { ...slice, name: 'receive', args: { entries: a, capacity: b } }
    case TRANSMIT:
      return { ...slice, name: 'transmit', args: { offered: a, taken: b } }
    case SLEEP:
      return { ...slice, name: 'sleep' }
    case RING_FULL:
      return { ...instant, name: 'ring full', args: { left: a } }
    case REFUSED_ENTRIES:
      return { ...instant, name: 'refused', args: { entries: a } }
    default:
      return { ...instant, name: `record of kind ${kind}` }
  }
}

function meta(name: string, tid: number, value: string): ChromeEvent {
  return { name, ph: 'M', ts: 0, pid: 1, tid, args: { [name === 'thread_labels' ? 'labels' : 'name']: value } }
}

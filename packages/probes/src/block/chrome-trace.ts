import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type ChromeEvent,
  type RecordRing,
  type TraceRecord,
} from '@parakernel/hal'
import { REFUSED_ENTRIES } from '../trace/record-kinds.ts'
import { COMMAND, COMMAND_FAILED } from './trace-queue.ts'

const NAMES: Readonly<Record<number, string>> = {
  [BLOCK_READ]: 'read',
  [BLOCK_WRITE]: 'write',
  [BLOCK_FLUSH]: 'flush',
  [BLOCK_WRITE_ZEROES]: 'write zeroes',
  [BLOCK_DEALLOCATE]: 'deallocate',
  [BLOCK_COMPARE]: 'compare',
}

/**
 * The events of a device's queues: the device is the process, each queue a thread of it. Commands overlap, so that each is a
 * pair of asynchronous events under an id of its own.
 */
export function blockChromeTrace(
  device: string,
  rings: ReadonlyMap<number, RecordRing>,
): { readonly traceEvents: readonly ChromeEvent[] } {
  const meta = (name: string, tid: number, value: string): ChromeEvent => {
    return { name, ph: 'M', ts: 0, pid: 1, tid, args: { name: value } }
  }
  const traceEvents: ChromeEvent[] = [meta('process_name', 0, device)]
  let ids = 0
  for (const [queue, ring] of rings) {
    traceEvents.push(meta('thread_name', queue, `queue ${queue}`))
    for (const record of ring.records()) traceEvents.push(...eventsOf(record, queue, `${queue}.${ids++}`))
  }
  return { traceEvents }
}

function eventsOf({ kind, start, end, a, b }: TraceRecord, tid: number, id: string): ChromeEvent[] {
  const common = { cat: 'block', pid: 1, tid }
  if (kind < COMMAND) {
    const refused = kind === REFUSED_ENTRIES
    return [
      { ...common, name: refused ? 'refused' : 'queue full', ph: 'i', s: 't', ts: end / 1e3, args: { commands: a } },
    ]
  }
  const failed = kind >= COMMAND_FAILED
  const name = NAMES[kind - (failed ? COMMAND_FAILED : COMMAND)] ?? 'command'
  const args = { lba: a, blocks: b, ...(failed && { failed: 1 }) }
  return [
    { ...common, name, id, ph: 'b', ts: start / 1e3, args },
    { ...common, name, id, ph: 'e', ts: end / 1e3 },
  ]
}

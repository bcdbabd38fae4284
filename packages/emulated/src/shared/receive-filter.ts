import { parseMac, type ReceiveFilter } from '@parakernel/hal'
import {
  MULTICAST_ENTRIES,
  QUEUE_ALL_MULTICAST,
  QUEUE_MULTICAST,
  QUEUE_MULTICAST_COUNT,
  QUEUE_PROMISCUOUS,
} from './layout.ts'
import type { NetworkMemory } from './network-memory.ts'

/** First four bytes of an address and last two, as little-endian numbers: two compares instead of six. */
export function macHalves(mac: string): [a: number, b: number] {
  const view = new DataView(parseMac(mac).buffer)
  return [view.getInt32(0, true), view.getUint16(4, true)]
}

/** Writes one queue's filter. @throws EINVAL for what is no address; then nothing has changed. */
export function writeReceiveFilter(memory: NetworkMemory, queue: number, filter: ReceiveFilter): void {
  const addresses = (filter.multicast ?? []).map(macHalves)
  const at = memory.layout.queue(queue)
  const fits = addresses.length <= MULTICAST_ENTRIES
  memory.words[at + QUEUE_PROMISCUOUS] = filter.promiscuous ? 1 : 0
  memory.words[at + QUEUE_ALL_MULTICAST] = fits ? 0 : 1
  memory.words[at + QUEUE_MULTICAST_COUNT] = fits ? addresses.length : 0
  if (fits) {
    addresses.forEach(([a, b], i) => {
      memory.words[at + QUEUE_MULTICAST + 2 * i] = a
      memory.words[at + QUEUE_MULTICAST + 2 * i + 1] = b
    })
  }
  memory.bump()
}

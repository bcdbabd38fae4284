import { ParakernelError, parseMac, type ReceiveFilter } from '@parakernel/hal'

/**
 * What the queues of a device want to receive, in words that all of them share: the device takes the union. Each queue writes
 * its own share, every queue reads all of them.
 *
 *     0, 1   own address: first four bytes and last two, little-endian as the packets' bytes are read
 *     ...    for each queue: promiscuous, all groups, number of groups, then the groups
 */
const QUEUES_AT = 2
const PROMISCUOUS = 0
const ALL_GROUPS = 1
const COUNT = 2
const GROUPS_AT = 3
/** A queue that asks for more is given every group, as many a NIC does. */
const MOST_GROUPS = 256
const SHARE_WORDS = GROUPS_AT + 2 * MOST_GROUPS

const BROADCAST_LOW = -1
const BROADCAST_HIGH = 0xffff

export const filterTableBytes = (queues: number) => (QUEUES_AT + queues * SHARE_WORDS) * 4

export class FilterTable {
  readonly #words: Int32Array
  readonly #ownLow: number
  readonly #ownHigh: number

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.#ownLow = this.#words[0]
    this.#ownHigh = this.#words[1]
  }

  static create(queues: number, own: Uint8Array): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(filterTableBytes(queues))
    new Int32Array(buffer).set(halves(own))
    return buffer
  }

  /** Whether a packet whose destination address starts at byte `at` of `view` may pass. */
  passes(view: DataView, at: number): boolean {
    const low = view.getInt32(at, true)
    const high = view.getUint16(at + 4, true)
    if (low === this.#ownLow && high === this.#ownHigh) return true
    if (low === BROADCAST_LOW && high === BROADCAST_HIGH) return true
    return this.#asked(low, high)
  }

  #asked(low: number, high: number): boolean {
    const words = this.#words
    const group = (low & 1) === 1
    for (let share = QUEUES_AT; share < words.length; share += SHARE_WORDS) {
      if (words[share + PROMISCUOUS] === 1) return true
      if (!group) continue
      if (words[share + ALL_GROUPS] === 1) return true
      const end = share + GROUPS_AT + 2 * words[share + COUNT]
      for (let i = share + GROUPS_AT; i < end; i += 2) if (words[i] === low && words[i + 1] === high) return true
    }
    return false
  }

  /** Replaces what one queue asked for. Throws EINVAL for what is no group address; then nothing has changed. */
  set(queue: number, { promiscuous = false, multicast = [] }: ReceiveFilter): void {
    const groups = multicast.map((mac) => halves(parseGroup(mac)))
    const words = this.#words
    const share = QUEUES_AT + queue * SHARE_WORDS
    const fits = groups.length <= MOST_GROUPS
    // Other queues read meanwhile: nothing that is asked for both before and after may be missing in between.
    words[share + ALL_GROUPS] = 1
    groups.slice(0, MOST_GROUPS).forEach(([low, high], i) => {
      words[share + GROUPS_AT + 2 * i] = low
      words[share + GROUPS_AT + 2 * i + 1] = high
    })
    words[share + COUNT] = fits ? groups.length : 0
    words[share + PROMISCUOUS] = promiscuous ? 1 : 0
    Atomics.store(words, share + ALL_GROUPS, fits ? 0 : 1)
  }
}

function halves(bytes: Uint8Array): [low: number, high: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return [view.getInt32(0, true), view.getUint16(4, true)]
}

function parseGroup(text: string): Uint8Array {
  const bytes = parseMac(text)
  if ((bytes[0] & 1) === 1) return bytes
  throw new ParakernelError('EINVAL', 'is the address of one station, not of a group', {
    subject: JSON.stringify(text),
    remedy: 'Ask for promiscuous: true to receive for other stations',
  })
}

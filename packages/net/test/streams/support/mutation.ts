import { type RandomSource, randomBelow } from '../../../src/random.ts'
import { slowChecksum } from '../../support/frames.ts'

const IP = 14
const TCP = IP + 20
const SEQUENCE = TCP + 4
const ACKNOWLEDGMENT = TCP + 8
const OFFSET = TCP + 12
const FLAGS = TCP + 13
const WINDOW = TCP + 14
const URGENT = TCP + 18
const OPTIONS = TCP + 20
/** Option kinds, and some that are none. */
const KINDS = [0, 1, 2, 3, 4, 5, 8, 28, 30, 34, 253]
const NEAR = [-1, 1, -1000, 1000, -65_536, 65_536, 1_000_000]

/** Whether a frame is a TCP segment over IPv4 without options, of a connection to or from `port`. */
export function isSegmentOf(frame: Uint8Array, port: number): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  return (
    frame.length >= OPTIONS &&
    view.getUint16(12) === 0x0800 &&
    frame[IP] === 0x45 &&
    frame[IP + 9] === 6 &&
    (view.getUint16(TCP) === port || view.getUint16(TCP + 2) === port)
  )
}

/** Every way in which a segment can be wrong and still have a right checksum, each as likely as the others. */
const MUTATIONS: readonly ((frame: Uint8Array, view: DataView, random: RandomSource) => Uint8Array)[] = [
  (frame, view, random) => set32(frame, view, SEQUENCE, view.getInt32(SEQUENCE) + near(random)),
  (frame, view, random) => set32(frame, view, SEQUENCE, random.next()),
  (frame, view, random) => set32(frame, view, ACKNOWLEDGMENT, view.getInt32(ACKNOWLEDGMENT) + near(random)),
  (frame, view, random) => set32(frame, view, ACKNOWLEDGMENT, random.next()),
  (frame, _view, random) => set8(frame, FLAGS, frame[FLAGS] ^ (1 << randomBelow(random, 8))),
  (frame, _view, random) => set8(frame, FLAGS, random.next() & 255),
  (frame, view, random) => set16(frame, view, WINDOW, pick(random, [0, 1, 0xffff, random.next() & 0xffff])),
  (frame, view, random) => set16(frame, view, URGENT, random.next() & 0xffff),
  (frame, _view, random) => set8(frame, OFFSET, random.next() & 255),
  (frame, _view, random) => {
    const end = TCP + (frame[OFFSET] >>> 4) * 4
    return end > OPTIONS ? set8(frame, OPTIONS + randomBelow(random, end - OPTIONS), pick(random, KINDS)) : frame
  },
  (frame, _view, random) => {
    const end = TCP + (frame[OFFSET] >>> 4) * 4
    return end > OPTIONS ? set8(frame, OPTIONS + randomBelow(random, end - OPTIONS), random.next() & 255) : frame
  },
  // Shorter and longer.
  (frame, _view, random) => frame.slice(0, IP + 20 + randomBelow(random, frame.length - IP - 19)),
  (frame, _view, random) =>
    Uint8Array.from([...frame, ...Array.from({ length: randomBelow(random, 64) }, () => random.next() & 255)]).slice(
      0,
      1514,
    ),
  // A reset and a SYN that a blind attacker would send (RFC 5961).
  (frame, view, random) => set8(set32(frame, view, SEQUENCE, view.getInt32(SEQUENCE) + near(random)), FLAGS, 0x04),
  (frame, view, random) => set8(set32(frame, view, SEQUENCE, view.getInt32(SEQUENCE) + near(random)), FLAGS, 0x02),
  // ECN, both marks of it.
  (frame, _view, random) => set8(frame, IP + 1, random.next() & 3),
]

/** A copy of a segment with one to three things wrong; lengths and checksums are right, so that it gets to TCP. */
export function mutate(original: Uint8Array, random: RandomSource): Uint8Array {
  let frame: Uint8Array = original.slice()
  for (let i = randomBelow(random, 3); i >= 0; i--) {
    if (frame.length < OPTIONS) break
    frame = pick(random, MUTATIONS)(frame, viewOf(frame), random)
  }
  return withChecksums(frame)
}

/** Makes the length and the checksums of a segment right. */
export function withChecksums(frame: Uint8Array): Uint8Array {
  const view = viewOf(frame)
  const length = frame.length - IP
  view.setUint16(IP + 2, length)
  view.setUint16(IP + 10, 0)
  view.setUint16(IP + 10, slowChecksum(frame.subarray(IP, TCP)))
  if (length < 40) return frame
  view.setUint16(TCP + 16, 0)
  const pseudo = [...frame.subarray(IP + 12, IP + 20), 0, 6, (length - 20) >>> 8, (length - 20) & 255]
  view.setUint16(TCP + 16, slowChecksum(Uint8Array.from([...pseudo, ...frame.subarray(TCP)])))
  return frame
}

function near(random: RandomSource): number {
  return pick(random, NEAR)
}

function pick<T>(random: RandomSource, choices: readonly T[]): T {
  return choices[randomBelow(random, choices.length)]
}

function viewOf(frame: Uint8Array): DataView {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
}

function set8(frame: Uint8Array, at: number, value: number): Uint8Array {
  frame[at] = value
  return frame
}

function set16(frame: Uint8Array, view: DataView, at: number, value: number): Uint8Array {
  view.setUint16(at, value)
  return frame
}

function set32(frame: Uint8Array, view: DataView, at: number, value: number): Uint8Array {
  view.setInt32(at, value | 0)
  return frame
}

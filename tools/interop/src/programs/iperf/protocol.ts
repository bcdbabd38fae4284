import type { Stream } from '@parakernel/queue'

// The control connection of iperf3 carries single bytes, each the state that the test is in now, and JSON texts after their
// length in four bytes. Data connections carry the cookie of their test, and then bytes without meaning.

export const TEST_START = 1
export const TEST_RUNNING = 2
export const TEST_END = 4
export const PARAM_EXCHANGE = 9
export const CREATE_STREAMS = 10
export const EXCHANGE_RESULTS = 13
export const DISPLAY_RESULTS = 14
export const IPERF_DONE = 16
export const ACCESS_DENIED = -1
export const SERVER_ERROR = -2

/** 36 characters and a zero. */
export const COOKIE_BYTES = 37

export interface Parameters {
  readonly tcp?: boolean
  readonly udp?: boolean
  readonly time?: number
  readonly parallel?: number
  /** The server sends. */
  readonly reverse?: boolean
  readonly bidirectional?: boolean
  readonly len?: number
  readonly [name: string]: unknown
}

export interface StreamResult {
  readonly id: number
  readonly bytes: number
  readonly retransmits: number
  readonly jitter: number
  readonly errors: number
  readonly packets: number
  readonly start_time: number
  readonly end_time: number
}

export interface Results {
  readonly cpu_util_total: number
  readonly cpu_util_user: number
  readonly cpu_util_system: number
  readonly sender_has_retransmits: number
  readonly streams: readonly StreamResult[]
}

/** Ids as iperf3 gives them: 1, then 3 and up. */
export function streamId(index: number): number {
  return index === 0 ? 1 : index + 2
}

export function resultsOf(bytes: readonly number[], seconds: number): Results {
  const streams = bytes.map((count, index) => ({
    id: streamId(index),
    bytes: count,
    retransmits: -1,
    jitter: 0,
    errors: 0,
    packets: 0,
    start_time: 0,
    end_time: seconds,
  }))
  return { cpu_util_total: 0, cpu_util_user: 0, cpu_util_system: 0, sender_has_retransmits: 0, streams }
}

export async function readExactly(stream: Stream, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const piece = await stream.read(length - at)
    if (piece === undefined) throw new Error(`iperf3: the connection ended ${at} bytes into ${length}`)
    bytes.set(piece, at)
    at += piece.byteLength
  }
  return bytes
}

export async function readState(stream: Stream): Promise<number> {
  return ((await readExactly(stream, 1))[0] << 24) >> 24
}

export function writeState(stream: Stream, state: number): Promise<void> {
  return stream.write(Uint8Array.of(state & 255))
}

/** Reads a state, which must be the one expected. */
export async function expectState(stream: Stream, expected: number): Promise<void> {
  const state = await readState(stream)
  if (state !== expected) throw new Error(`iperf3: state ${state} came instead of ${expected}`)
}

export async function readJson<T>(stream: Stream): Promise<T> {
  const header = await readExactly(stream, 4)
  const length = new DataView(header.buffer).getUint32(0)
  if (length > 1 << 20) throw new Error(`iperf3: a text of ${length} bytes`)
  return JSON.parse(new TextDecoder().decode(await readExactly(stream, length))) as T
}

export async function writeJson(stream: Stream, value: unknown): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(value))
  const message = new Uint8Array(4 + text.byteLength)
  new DataView(message.buffer).setUint32(0, text.byteLength)
  message.set(text, 4)
  await stream.write(message)
}

export function newCookie(): Uint8Array {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567'
  const random = crypto.getRandomValues(new Uint8Array(COOKIE_BYTES))
  const cookie = random.map((byte) => letters.charCodeAt(byte & 31))
  cookie[COOKIE_BYTES - 1] = 0
  return cookie
}

import type { Family, OptionValue, SubjectKind } from '../language/script.ts'

/** Our subject's address and the other end's, which the scripts play; the same for both subjects. */
export const ADDRESSES: Readonly<Record<Family, { readonly local: string; readonly remote: string }>> = {
  4: { local: '10.0.0.1', remote: '10.0.0.2' },
  6: { local: 'fd00::1', remote: 'fd00::2' },
}

/** What a socket of one family calls the remote end of packets of another. */
export function remoteName(packets: Family, sockets: Family): string {
  const { remote } = ADDRESSES[packets]
  return packets === 4 && sockets === 6 ? `${MAPPED}${remote}` : remote
}

/** The prefix of an IPv4 address in an IPv6 one (RFC 4291 section 2.5.5.2). */
const MAPPED = '::ffff:'

export function addressBytes(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number))
  if (text.startsWith(MAPPED) && text.includes('.')) {
    return Uint8Array.of(...new Uint8Array(10), 0xff, 0xff, ...addressBytes(text.slice(MAPPED.length)))
  }
  const [head, tail = ''] = text.split('::')
  const groups = (half: string) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16)))
  const [first, last] = [groups(head), groups(tail)]
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]))
}

/** What became of a call. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'socket'; readonly socket: SubjectSocket }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'written'; readonly bytes: number }
  | { readonly kind: 'eof' }
  | { readonly kind: 'error'; readonly code: string }

/** A call that was begun; it completes while time passes. `at` is when, in nanoseconds of the subject's time. */
export interface Operation {
  outcome: Outcome | undefined
  at: number
}

/** A socket of the system that is tested. Control calls throw a `CallError`. */
export interface SubjectSocket {
  bind(port: number): void
  listen(backlog: number): void
  accept(): Operation
  connect(port: number): Operation
  read(limit: number): Operation
  write(bytes: Uint8Array): Operation
  send(bytes: Uint8Array, port: number): Operation
  receive(): Operation
  shutdown(): void
  close(): void
  /** Ends in order; completes when the peer has acknowledged everything. */
  finish(): Operation
  /** Resets. */
  abort(): void
  set(option: string, value: string): void
  get(option: string): string
}

export class CallError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** A packet that came out of the subject, and when. */
export interface Sent {
  readonly bytes: Uint8Array
  readonly at: number
}

export interface SubjectSetup {
  /** Of the packets. */
  readonly family: Family
  /** Of the sockets, where it is another: IPv6 sockets speak IPv4 by addresses that are mapped. */
  readonly sockets?: Family
  readonly mtu: number
  readonly sysctls: readonly (readonly [string, string])[]
  readonly options: Readonly<Record<string, OptionValue>>
}

/** A system with sockets on one side and IP packets on the other, and its time. */
export interface Subject {
  readonly kind: SubjectKind
  /** How much a time may be off, early and late, in nanoseconds. */
  readonly tolerance: number
  /** How much later than asked its timers may be, as a part of what was asked. */
  readonly drift: number
  /** Nanoseconds since the script began. */
  now(): number
  /** Packets that came out and were not taken yet, oldest first. Without those that keep the link alive. */
  readonly sent: Sent[]
  /** Lets time pass until `time`, or until `stop`, which is asked after each thing that happens. */
  advance(time: number, stop: () => boolean): Promise<void>
  inject(packet: Uint8Array): void
  /** @throws CallError */
  socket(type: 'stream' | 'datagram'): SubjectSocket
  /** Of the connection between two ports, or of the listener, under the names of the script language. */
  state(localPort: number, remotePort: number): string
  /** Ends everything. Returns what is wrong afterwards: frames that leaked. */
  close(): Promise<readonly string[]>
}

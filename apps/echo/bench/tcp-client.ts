/**
 * A load of echo requests over the kernel's own TCP sockets, driven by epoll through FFI, so that the client costs far less than
 * a server in Node does: `tcp-client.ts {"address":"10.0.0.1","port":7,"connections":16,"seconds":2,"kind":"echo"}` prints
 * one line of JSON. `kind` is `echo` (each connection has one request of `bytes` outstanding) or `churn` (each request has a
 * connection of its own, which is then closed).
 */
import { calls, foreign } from '@parakernel/linux'

export interface TcpPlan {
  readonly kind: 'echo' | 'churn'
  readonly address: string
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly bytes: number
}

export interface TcpResult {
  /** Requests, or connections, that were finished in the measured time. */
  readonly count: number
  readonly seconds: number
  /** ns from the request (or the connect) to the last byte of the answer. */
  readonly p50: number
  readonly p99: number
  /** Answers that were not what was sent. */
  readonly wrong: number
}

const AF_INET = 2
const STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000
const TCP = 6
const TCP_NODELAY = 1
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const EPOLL_CTL_ADD = 1
const EPOLLIN = 1
const EPOLLOUT = 4
const EAGAIN = 11
const EINPROGRESS = 115
/** `struct epoll_event` is packed on x86-64: events u32, data u64. */
const EVENT_BYTES = 12
const EVENTS = 256

const { bind, errno } = foreign()
const epollCreate = bind('epoll_create1', 'int', ['int']) as (flags: number) => number
const epollControl = bind('epoll_ctl', 'int', ['int', 'int', 'int', 'void *']) as (
  ...words: [number, number, number, DataView]
) => number
const epollWait = bind('epoll_wait', 'int', ['int', 'void *', 'int', 'int']) as (
  ...words: [number, DataView, number, number]
) => number
const receive = bind('recv', 'int', ['int', 'void *', 'size_t', 'int']) as (
  ...words: [number, Uint8Array, number, number]
) => number
const transmit = bind('send', 'int', ['int', 'void *', 'size_t', 'int']) as (
  ...words: [number, Uint8Array, number, number]
) => number
const { socket, connect, close, setsockopt } = calls()

const plan = JSON.parse(process.argv[2]) as TcpPlan
const destination = Uint8Array.of(
  AF_INET,
  0,
  plan.port >>> 8,
  plan.port & 255,
  ...plan.address.split('.').map(Number),
  ...new Uint8Array(8),
)
const request = Uint8Array.from({ length: plan.bytes }, (_, i) => (i * 7 + 3) & 255)
const answer = new Uint8Array(plan.bytes)
const epoll = epollCreate(0)
const registration = new DataView(new ArrayBuffer(EVENT_BYTES))
const events = new DataView(new ArrayBuffer(EVENT_BYTES * EVENTS))
/** By descriptor: when the request began, and how much of its answer is missing; -1 while the connection is opened. */
const began = new Float64Array(65_536)
const missing = new Int32Array(65_536)
const latencies = new Float64Array(4_000_000)
let finished = 0
let wrong = 0

function fail(what: string): never {
  throw new Error(`${what}: errno ${errno()}`)
}

function open(): number {
  const descriptor = socket(AF_INET, STREAM_NONBLOCK_CLOEXEC, 0)
  if (descriptor < 0) fail('socket')
  setsockopt(descriptor, TCP, TCP_NODELAY, Uint32Array.of(1), 4)
  began[descriptor] = performance.now()
  missing[descriptor] = -1
  if (connect(descriptor, destination, destination.length) < 0 && errno() !== EINPROGRESS) fail('connect')
  registration.setUint32(0, EPOLLIN | EPOLLOUT | (2 ** 31), true) // edge-triggered
  registration.setUint32(4, descriptor, true)
  if (epollControl(epoll, EPOLL_CTL_ADD, descriptor, registration) < 0) fail('epoll_ctl')
  return descriptor
}

function ask(descriptor: number): void {
  if (plan.kind === 'echo') began[descriptor] = performance.now()
  missing[descriptor] = plan.bytes
  if (transmit(descriptor, request, plan.bytes, MSG_DONTWAIT | MSG_NOSIGNAL) !== plan.bytes) fail('send')
}

/** Reads what there is; asks again, on this connection or the next, when the answer is whole. */
function read(descriptor: number): void {
  for (;;) {
    const length = receive(descriptor, answer, missing[descriptor], MSG_DONTWAIT)
    if (length < 0) {
      if (errno() === EAGAIN) return
      fail('recv')
    }
    if (length === 0) throw new Error('the server ended a connection')
    const at = plan.bytes - missing[descriptor]
    if (answer[0] !== request[at] || answer[length - 1] !== request[at + length - 1]) wrong++
    missing[descriptor] -= length
    if (missing[descriptor] > 0) continue
    latencies[finished++] = performance.now() - began[descriptor]
    if (plan.kind === 'echo') ask(descriptor)
    else {
      close(descriptor)
      open()
      return
    }
  }
}

function run(milliseconds: number): number {
  const start = performance.now()
  for (;;) {
    const count = epollWait(epoll, events, EVENTS, 0)
    for (let i = 0; i < count; i++) {
      const descriptor = events.getUint32(i * EVENT_BYTES + 4, true)
      if (missing[descriptor] < 0) ask(descriptor)
      if ((events.getUint32(i * EVENT_BYTES, true) & EPOLLIN) !== 0) read(descriptor)
    }
    const elapsed = performance.now() - start
    if (elapsed >= milliseconds || finished + EVENTS > latencies.length) return elapsed
  }
}

for (let i = 0; i < plan.connections; i++) open()
run(1000)
finished = 0
const elapsed = run(plan.seconds * 1000)
const sorted = latencies.subarray(0, finished).sort()
const at = (share: number) => (sorted[Math.min(finished - 1, Math.floor(finished * share))] ?? 0) * 1e6
const result: TcpResult = { count: finished, seconds: elapsed / 1000, p50: at(0.5), p99: at(0.99), wrong }
console.log(JSON.stringify(result))
process.exit(0)

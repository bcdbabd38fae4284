import type { FramePool } from '@parakernel/hal'
import type { TcpMemory } from '../tcp/buffer/memory-budget.ts'
import { Connection } from '../tcp/connection/connection.ts'
import type { PathLimits } from '../tcp/connection/path-limits.ts'
import type { TcpCounters } from '../tcp/counters.ts'
import type { Instant } from '../tcp/segment.ts'
import type { TcpSettings } from '../tcp/settings.ts'
import { MAX_HEADER_LENGTH } from '../tcp/wire.ts'
import type { Path } from './path.ts'
import type { StreamSocket } from './stream-socket.ts'
import type { Listener } from './tcp-listeners.ts'

const READY = 1 << 0
const STIRRING = 1 << 1

/**
 * A connection with what the stack needs around it: its path, its ports, and who hears of it. For the connection it is what there is to
 * know of the path.
 */
export class TcpEndpoint implements PathLimits {
  readonly connection: Connection
  readonly path: Path
  /** Remote port in the upper half, local port in the lower one. */
  readonly ports: number
  mtu: number
  superPacket: number
  interfaceMtu: number
  /** Index in the table of endpoints. */
  slot = -1
  /** The socket that holds it; undefined before an accept, and when the connection lives on after its close. */
  socket: StreamSocket | undefined = undefined
  /** The listener in whose queue it waits for an accept. */
  listener: Listener | undefined = undefined
  /** TTL or hop limit of its packets. */
  hopLimit = 0
  #marks = 0

  constructor(
    settings: TcpSettings,
    pool: FramePool,
    memory: TcpMemory,
    counters: TcpCounters,
    path: Path,
    ports: number,
  ) {
    this.path = path
    this.ports = ports
    this.mtu = path.mtu
    this.superPacket = superPayload(path)
    this.interfaceMtu = path.interface.mtu
    this.connection = new Connection(settings, pool, memory, this, counters)
  }

  /** It stands in the list of those that may have something to send. */
  get isReady(): boolean {
    return (this.#marks & READY) !== 0
  }

  set isReady(on: boolean) {
    this.#marks = on ? this.#marks | READY : this.#marks & ~READY
  }

  /** It stands in the list of those that have something to tell. */
  get isStirring(): boolean {
    return (this.#marks & STIRRING) !== 0
  }

  set isStirring(on: boolean) {
    this.#marks = on ? this.#marks | STIRRING : this.#marks & ~STIRRING
  }

  get family(): 4 | 6 {
    return this.path.family
  }

  get ipHeader(): number {
    return this.path.ipHeader
  }

  get localPort(): number {
    return this.ports & 0xffff
  }

  get remotePort(): number {
    return this.ports >>> 16
  }

  /** Brings the connection up to date with its path, whose routes, interface or MTU may have changed. */
  followPath(now: Instant): void {
    const { path } = this
    path.check()
    this.superPacket = superPayload(path)
    this.interfaceMtu = path.interface.mtu
    if (path.mtu !== this.mtu && path.mtu > 0) this.connection.mtuChanged(path.mtu, now)
  }
}

/** Longest payload of a super-segment on a path, whatever options it has; 0: none. */
function superPayload(path: Path): number {
  return path.superPacket === 0 || path.maxChain < 2 ? 0 : path.superPacket - MAX_HEADER_LENGTH
}

/** The endpoints of a stack by slot: a number that stands in the connection table. */
export class EndpointTable {
  readonly slots: (TcpEndpoint | undefined)[] = []
  readonly #free: number[] = []
  count = 0

  add(endpoint: TcpEndpoint): number {
    const slot = this.#free.pop() ?? this.slots.length
    this.slots[slot] = endpoint
    endpoint.slot = slot
    this.count++
    return slot
  }

  remove(endpoint: TcpEndpoint): void {
    this.slots[endpoint.slot] = undefined
    this.#free.push(endpoint.slot)
    endpoint.slot = -1
    this.count--
  }
}

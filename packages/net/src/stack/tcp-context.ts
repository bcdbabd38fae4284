import type { FramePool } from '@parakernel/hal'
import type { PacketMemory } from '../packet-memory.ts'
import { TcpMemory } from '../tcp/buffer/memory-budget.ts'
import type { Connection } from '../tcp/connection/connection.ts'
import { ConnectionTable } from '../tcp/connection-table.ts'
import { type TcpCounters, tcpCounters } from '../tcp/counters.ts'
import { EXT_PEAK_CONNECTIONS, type TcpInputCounters, tcpInputCounters } from '../tcp/input-counters.ts'
import { InitialSequence } from '../tcp/isn.ts'
import { EphemeralPorts, type PortConstraint } from '../tcp/ports.ts'
import { type Instant, Segment } from '../tcp/segment.ts'
import type { TcpSettings } from '../tcp/settings.ts'
import { CLOSE_WAIT, ESTABLISHED } from '../tcp/state.ts'
import type { EphemeralRange, PortShare } from '../udp/ports.ts'
import type { StackContext } from './context.ts'
import type { Path } from './path.ts'
import { EndpointTable, TcpEndpoint } from './tcp-endpoint.ts'
import { BoundPorts } from './tcp-listeners.ts'
import { EndpointQueue } from './tcp-queue.ts'
import { TcpTimers } from './tcp-timers.ts'

/** What a value in the connection table names, in its two low bits. */
export const KIND_CONNECTION = 0
export const KIND_SYN = 1
export const KIND_TIME_WAIT = 2

export const kindOf = (value: number): number => value & 3
export const indexOf = (value: number): number => value >>> 2
export const entryOf = (kind: number, index: number): number => (index << 2) | kind

/** Bounds of a stack's TCP, and who shares its ports. */
export interface TcpLimits {
  /** Connections, those of closed sockets included. */
  readonly connections: number
  /** Half-open connections that are remembered. */
  readonly synBacklog: number
  readonly timeWaits: number
  /** Frames that all connections together may hold. */
  readonly memory: number
  /** Segments that a round sends at most. */
  readonly burst: number
  /** Cookies when the backlog is full, for every SYN, or never. */
  readonly cookies: 'pressure' | 'always' | 'off'
  readonly ephemeral: EphemeralRange
  readonly share: PortShare
  /** Instead of the share, where the device spreads packets by their hash. */
  readonly ports: PortConstraint | undefined
}

/** What all parts of a stack's TCP share: data, and the lists by which they hand endpoints to each other. */
export class TcpContext {
  readonly stack: StackContext
  readonly pool: FramePool
  readonly memory: PacketMemory
  readonly now: Instant
  readonly settings: TcpSettings
  readonly limits: TcpLimits
  readonly counters: TcpCounters = tcpCounters()
  readonly inputCounters: TcpInputCounters = tcpInputCounters()
  readonly budget: TcpMemory
  readonly table: ConnectionTable
  readonly endpoints = new EndpointTable()
  readonly bound = new BoundPorts()
  readonly isn: InitialSequence
  readonly ephemeral: EphemeralPorts
  readonly timers = new TcpTimers()
  /** Endpoints that may have something to send, each once. */
  readonly ready = new EndpointQueue()
  /** Endpoints whose connection has something to tell its socket, each once. */
  readonly stirring = new EndpointQueue()
  /** The segment that is being received, and the one that is being sent. */
  readonly received = new Segment()
  readonly sent = new Segment()

  constructor(stack: StackContext, settings: TcpSettings, limits: TcpLimits) {
    this.stack = stack
    this.pool = stack.pool
    this.memory = stack.memory
    this.now = stack.time
    this.limits = limits
    this.settings = settings
    this.budget = new TcpMemory(stack.pool, limits.memory)
    this.table = new ConnectionTable(stack.random)
    this.isn = new InitialSequence(stack.random)
    this.ephemeral = new EphemeralPorts(limits.ephemeral, limits.share, stack.random, limits.ports)
  }

  /** A connection on a path, in the table; undefined when there are too many. Its handshake is the caller's to begin. */
  open(settings: TcpSettings, path: Path, ports: number): TcpEndpoint | undefined {
    const { endpoints, limits, inputCounters } = this
    if (endpoints.count >= limits.connections) return undefined
    const endpoint = new TcpEndpoint(settings, this.pool, this.budget, this.counters, path, ports)
    endpoints.add(endpoint)
    const { values } = inputCounters
    values[EXT_PEAK_CONNECTIONS] = Math.max(values[EXT_PEAK_CONNECTIONS], endpoints.count)
    this.table.insert(path.local, path.remote, ports, entryOf(KIND_CONNECTION, endpoint.slot))
    return endpoint
  }

  /** Forgets a connection that is CLOSED; bytes that it still holds stay with its socket. */
  remove(endpoint: TcpEndpoint): void {
    const { path, ports, slot } = endpoint
    if (slot < 0) return
    this.table.remove(path.local, path.remote, ports)
    this.timers.cancel(slot)
    this.endpoints.remove(endpoint)
  }

  /** Something happened to a connection: it has its turn to tell and to send before this round ends. */
  touch(endpoint: TcpEndpoint): void {
    if (!endpoint.isReady) {
      endpoint.isReady = true
      this.ready.push(endpoint)
    }
    if (endpoint.connection.events !== 0) this.stir(endpoint)
  }

  stir(endpoint: TcpEndpoint): void {
    if (endpoint.isStirring) return
    endpoint.isStirring = true
    this.stirring.push(endpoint)
  }

  /** tcpCurrEstab of RFC 4022: connections in ESTABLISHED or CLOSE-WAIT. */
  get established(): number {
    let count = 0
    for (const endpoint of this.endpoints.slots) if (isEstablished(endpoint?.connection)) count++
    return count
  }
}

function isEstablished(connection: Connection | undefined): boolean {
  return connection !== undefined && (connection.state === ESTABLISHED || connection.state === CLOSE_WAIT)
}

import type { MicaConcurrency, MicaMode } from '@parakernel/mica'
import type { DatagramHandler, NetworkLibOS, QueueDescriptor } from '@parakernel/queue'
import { AmplificationGuard, type GuardMode } from '../guard/amplification-guard.ts'
import { LONGEST_VALUE } from '../persist/entry.ts'
import { type Recovered, recoverStore } from '../persist/recover.ts'
import { type JournalOptions, StoreJournal } from '../persist/store-journal.ts'
import type { Channel } from './channel.ts'
import { type ServerCounters, serverCounters } from './counters.ts'
import type { StoreLocation } from './foreign-reads.ts'
import { NativeHandOver } from './native-hand-over.ts'
import { NativeServer } from './native-server.ts'
import { Outbox } from './outbox.ts'
import { createPartitionState, type PartitionState } from './partition-state.ts'
import { KIND_NATIVE_STRAY, KIND_TEXT_STRAY, Strays } from './strays.ts'
import { TextRelay } from './text-relay.ts'
import { TextServer } from './text-server.ts'

/** Largest burst that a libOS may be configured to hand over. */
const BURST = 1024

export interface KvsServerOptions {
  /** This partition, and how many there are. */
  readonly index: number
  readonly partitions: number
  /** Native port of partition 0; partition i answers at `port + i`. */
  readonly port: number
  /** memcached port of partition 0, partition i answers at `memcachedPort + i`; 0 for none. */
  readonly memcachedPort: number
  readonly guard: GuardMode
  /** 16 secret bytes, the same in all partitions. */
  readonly key: Uint8Array
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  /** To the other partitions; undefined in a machine of one. */
  readonly channel?: Channel | undefined
  /**
   * The partitions share one address, and a queue may bring datagrams to any of their ports: every partition listens at
   * all of them. Default false, for libOSes whose ports belong to one partition each.
   */
  readonly shared?: boolean
  readonly mode?: MicaMode
  /** EREW (default): a partition's store is read by it alone. CREW: others may, see `readOthers`. */
  readonly concurrency?: MicaConcurrency
  /** Typical bytes of key plus value: sizes the index. */
  readonly expectedItemBytes?: number
  readonly maxPayload?: number
  readonly counters?: ServerCounters
  readonly wallClock?: () => number
  /** Where what changes the store is kept: see `openServer`. */
  readonly journal?: JournalOptions | undefined
}

/** One partition's server on a libOS: sockets, protocols and store. Runs inside the libOS's polls. */
export class KvsServer {
  readonly state: PartitionState
  readonly #libos: NetworkLibOS
  readonly #native: NativeServer
  readonly #sockets: QueueDescriptor[] = []

  /** Binds the ports and serves at once, from what `state` holds. @throws EADDRINUSE, ENOSPC (heap too small) and what else a part throws */
  constructor(libos: NetworkLibOS, options: KvsServerOptions, state = createServerState(libos, options)) {
    const { index, port, memcachedPort, channel, maxPayload } = options
    this.#libos = libos
    this.state = state
    const payload = maxPayload === undefined ? {} : { maxPayload }
    const native = this.#open(port + index)
    const outbox = new Outbox(libos, native, libos.pool, state.counters)
    const handOver = channel === undefined ? undefined : new NativeHandOver(state, channel, outbox, maxPayload)
    const nativeServer = new NativeServer(state, outbox, { burst: BURST, handOver, ...payload })
    this.#native = nativeServer
    this.#serve(options, port, native, KIND_NATIVE_STRAY, outbox, (burst, now) => nativeServer.handle(burst, now))
    if (memcachedPort === 0) return
    const text = this.#open(memcachedPort + index)
    const relay = channel === undefined ? undefined : new TextRelay(state, channel)
    const wallClock = options.wallClock === undefined ? {} : { wallClock: options.wallClock }
    const textOutbox = new Outbox(libos, text, libos.pool, state.counters)
    const textServer = new TextServer(state, textOutbox, {
      burst: BURST,
      relay,
      ...wallClock,
    })
    relay?.attach(textServer)
    this.#serve(options, memcachedPort, text, KIND_TEXT_STRAY, textOutbox, (burst, now) =>
      textServer.handle(burst, now),
    )
  }

  /** Where this partition's store lies, for the others. */
  get location(): StoreLocation {
    return { memory: this.state.store.memory, byteOffset: this.state.store.byteOffset }
  }

  /** CREW: from now on, GETs of other partitions' keys are served here. @throws ENOTSUP when those are EREW */
  readOthers(stores: readonly StoreLocation[]): void {
    this.#native.readOthers(stores)
  }

  /** Closes the sockets. The store stays in its memory. */
  close(): void {
    for (const socket of this.#sockets.splice(0)) this.#libos.close(socket)
  }

  /** Serves our own port by `handler`, and takes what comes here for the others' ports to them. */
  #serve(
    { index, partitions, channel, shared = false, maxPayload }: KvsServerOptions,
    port: number,
    socket: QueueDescriptor,
    kind: number,
    outbox: Outbox,
    handler: DatagramHandler,
  ): void {
    this.#libos.serveDatagrams(socket, handler)
    if (!shared || channel === undefined) return
    const strays = new Strays(this.state, channel, kind, outbox, handler, maxPayload)
    for (let owner = 0; owner < partitions; owner++) {
      if (owner === index) continue
      this.#libos.serveDatagrams(this.#open(port + owner), (burst) => strays.forward(owner, burst))
    }
  }

  #open(port: number): QueueDescriptor {
    const socket = this.#libos.socket('datagram')
    this.#libos.bind(socket, { address: '0.0.0.0', port })
    this.#sockets.push(socket)
    return socket
  }
}

function createServerState(libos: NetworkLibOS, options: KvsServerOptions): PartitionState {
  const { index, partitions, port, memcachedPort, journal } = options
  return createPartitionState({
    index,
    partitions,
    pool: libos.pool,
    heap: options.heap,
    guard: new AmplificationGuard(options.guard, options.key),
    counters: options.counters ?? serverCounters(),
    serverPorts: portsOf(port, memcachedPort, partitions),
    isPersistent: journal !== undefined,
    store: {
      ...(options.mode === undefined ? {} : { mode: options.mode }),
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      ...(options.expectedItemBytes === undefined ? {} : { expectedItemBytes: options.expectedItemBytes }),
      ...(journal === undefined ? {} : { maxValueBytes: LONGEST_VALUE }),
    },
  })
}

export interface OpenedServer {
  readonly server: KvsServer
  /** Undefined for a store in memory alone. */
  readonly recovered: Recovered | undefined
}

/**
 * A server whose store is what its log says, where it has one; nothing is served before that is done.
 * @throws as `KvsServer`, and as `recoverStore`
 */
export async function openServer(libos: NetworkLibOS, options: KvsServerOptions): Promise<OpenedServer> {
  const state = createServerState(libos, options)
  if (options.journal === undefined) return { server: new KvsServer(libos, options, state), recovered: undefined }
  const journal = new StoreJournal(state, options.journal)
  const recovered = await recoverStore(state, journal)
  state.journal = journal
  return { server: new KvsServer(libos, options, state), recovered }
}

function portsOf(port: number, memcachedPort: number, partitions: number): number[] {
  const ports: number[] = []
  for (let i = 0; i < partitions; i++) {
    ports.push(port + i)
    if (memcachedPort !== 0) ports.push(memcachedPort + i)
  }
  return ports
}

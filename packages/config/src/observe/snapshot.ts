import type { BlockCounter, NetStatistics } from '@parakernel/hal'
import type { HistogramSnapshot, LoopStatistics } from '@parakernel/kernel'

/** CPU of a partition's thread since it began, in nanoseconds. */
export interface ThreadTime {
  /** On a core. */
  readonly ran: number
  /** Ready to run, without a core to run on; 0 where the kernel does not tell. */
  readonly waited: number
}

export interface QueueSnapshot {
  readonly device: string
  readonly queue: number
  readonly counters: NetStatistics
  /** Packets that wait to be taken; undefined where the device does not tell. */
  readonly backlog?: number | undefined
}

export interface BlockQueueSnapshot {
  readonly device: string
  readonly queue: number
  readonly counters: Readonly<Record<BlockCounter, number>>
}

/** A partition at one moment. All counters count from its start. */
export interface PartitionSnapshot {
  readonly name: string
  readonly index: number
  readonly state: 'running' | 'ended'
  /** Core that its thread is pinned to. */
  readonly core?: number | undefined
  /** Of its thread: partitions that share one have the same. Undefined where the host does not tell. */
  readonly cpu?: ThreadTime | undefined
  readonly loop: LoopStatistics
  /** Nanoseconds; see `LoopCounters.roundTimes`. */
  readonly roundTimes: HistogramSnapshot
  readonly queues: readonly QueueSnapshot[]
  readonly blocks: readonly BlockQueueSnapshot[]
  /** Messages of other partitions that wait in the rings to this one. */
  readonly ringDepth: number
}

export interface MachineSnapshot {
  /** Unique in the process: a second machine of the name `kvs` is `kvs#2`. */
  readonly name: string
  readonly partitions: readonly PartitionSnapshot[]
}

/** What the observer counts about those who look. */
export interface ObserverStatistics {
  readonly clients: number
  /** Connections beyond the most that there may be. */
  readonly refused: number
  readonly badRequests: number
  /** Snapshots that were due while a client had not read the one before. */
  readonly skipped: number
  /** Clients that were cut off: too much rubbish, or too long without reading. */
  readonly dropped: number
}

/** Everything that one process offers, at one moment. */
export interface ProcessSnapshot {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Nanoseconds on the monotonic clock: for rates. */
  readonly clock: number
  readonly machines: readonly MachineSnapshot[]
  readonly observer: ObserverStatistics
}

/** What does not change while a process runs, but for its machines. */
export interface ProcessDescription {
  readonly protocol: 1
  readonly pid: number
  /** By its main script. */
  readonly program: string
  readonly node: string
  /** Milliseconds since 1970. */
  readonly started: number
  readonly machines: readonly MachineDescription[]
}

export interface MachineDescription {
  readonly name: string
  readonly partitions: number
  readonly network: string
  readonly storage: string
  /** `host:port` of its `/metrics`. */
  readonly prometheus?: string | undefined
}

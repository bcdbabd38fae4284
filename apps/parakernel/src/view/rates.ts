import type { MachineSnapshot, PartitionSnapshot, ProcessDescription, ProcessSnapshot } from '@parakernel/config'
import type { NetCounter, NetStatistics } from '@parakernel/hal'
import { LOOP_COUNTERS } from '@parakernel/kernel'

/** What a partition did between two snapshots. Rates are a second, times nanoseconds. */
export interface Row {
  readonly pid: number
  readonly machine: string
  readonly partition: number
  readonly state: PartitionSnapshot['state']
  readonly core: number | undefined
  /** Share of a core; undefined where the host does not tell. */
  readonly cpu: number | undefined
  /** Share of the time in which its thread was ready to run and had no core. */
  readonly cpuWait: number | undefined
  readonly rounds: number
  readonly sleeps: number
  /** Work of a round that found some, on average; 0 when none did. */
  readonly batch: number
  /** Of polls that did something: how much 99 % of them did at most. */
  readonly batch99: number
  readonly receive: number
  readonly transmit: number
  readonly drops: number
  /** Drops by device, queue and reason, those that there were. */
  readonly dropsBy: Readonly<Record<string, number>>
  /** Packets that wait to be taken, messages in rings and block commands under way, at the moment of the later snapshot. */
  readonly depth: number
  /** Of rounds with work, from the start of one to the start of the next. */
  readonly p50: number
  readonly p99: number
  /** Since the partition began. */
  readonly stalls: number
}

const BATCHES = LOOP_COUNTERS.filter((name) => name.startsWith('batches'))

const DROPS: readonly NetCounter[] = [
  'rxDroppedNoFrame',
  'rxDroppedRingFull',
  'rxDroppedTooLong',
  'rxDroppedFilter',
  'rxDroppedFault',
  'txInvalidDescriptors',
  'txTooLong',
  'txUnsupported',
  'txDropped',
]

/** What the partitions of a process did between two snapshots, those that are in both. */
export function rowsOf({ pid }: ProcessDescription, before: ProcessSnapshot, after: ProcessSnapshot): Row[] {
  const seconds = (after.clock - before.clock) / 1e9
  if (seconds <= 0) return []
  return after.machines.flatMap((machine) => {
    const earlier = before.machines.find(({ name }) => name === machine.name)
    return earlier === undefined ? [] : machineRows(pid, earlier, machine, seconds)
  })
}

function machineRows(pid: number, before: MachineSnapshot, after: MachineSnapshot, seconds: number): Row[] {
  return after.partitions.flatMap((partition, i) => {
    const earlier = before.partitions[i]
    return earlier === undefined ? [] : [rowOf(pid, after.name, earlier, partition, seconds)]
  })
}

function rowOf(
  pid: number,
  machine: string,
  before: PartitionSnapshot,
  after: PartitionSnapshot,
  seconds: number,
): Row {
  const rate = (later: number, earlier: number) => (later - earlier) / seconds
  const loop = (name: keyof PartitionSnapshot['loop']) => after.loop[name] - before.loop[name]
  const queues = (name: NetCounter) => sum(after, name) - sum(before, name)
  const share = (of: 'ran' | 'waited') =>
    after.cpu === undefined || before.cpu === undefined ? undefined : rate(after.cpu[of], before.cpu[of]) / 1e9
  const dropsBy = dropRates(before, after, seconds)
  const counts = after.roundTimes.counts.map((count, i) => count - before.roundTimes.counts[i])
  const outstanding = after.blocks.reduce((all, { counters }) => all + counters.submitted - counters.completed, 0)
  const backlog = after.queues.reduce((all, one) => all + (one.backlog ?? 0), 0)
  const busy = loop('busyRounds')
  return {
    pid,
    machine,
    partition: after.index,
    state: after.state,
    core: after.core,
    cpu: share('ran'),
    cpuWait: share('waited'),
    rounds: loop('rounds') / seconds,
    sleeps: loop('sleeps') / seconds,
    batch: busy === 0 ? 0 : loop('work') / busy,
    // Classes begin at 1, 2, 4 and so on.
    batch99: quantile([0, ...BATCHES.map(loop)], 0.99),
    receive: queues('rxPackets') / seconds,
    transmit: queues('txPackets') / seconds,
    drops: Object.values(dropsBy).reduce((all, one) => all + one, 0),
    dropsBy,
    depth: after.ringDepth + outstanding + backlog,
    p50: quantile(counts, 0.5),
    p99: quantile(counts, 0.99),
    stalls: after.loop.stalls,
  }
}

function sum({ queues }: PartitionSnapshot, name: NetCounter): number {
  return queues.reduce((all, { counters }) => all + counters[name], 0)
}

function dropRates(before: PartitionSnapshot, after: PartitionSnapshot, seconds: number): Record<string, number> {
  const rates: Record<string, number> = {}
  for (const [i, { device, queue, counters }] of after.queues.entries()) {
    const earlier: NetStatistics | undefined = before.queues[i]?.counters
    for (const name of DROPS) {
      const count = counters[name] - (earlier?.[name] ?? counters[name])
      if (count > 0) rates[`${device} ${queue} ${name}`] = count / seconds
    }
  }
  return rates
}

/** A value below or at which a share lies, of counts by power of two: within its bucket, as if that were filled evenly. */
export function quantile(counts: readonly number[], share: number): number {
  const total = counts.reduce((all, count) => all + count, 0)
  let rank = share * total
  for (const [i, count] of counts.entries()) {
    if (count > 0 && rank <= count) return i === 0 ? 0 : 2 ** (i - 1) * (1 + rank / count)
    rank -= count
  }
  return 0
}

import type { NetCounter } from '@parakernel/hal'
import { Exposition, type Labels } from './exposition.ts'
import type { BlockQueueSnapshot, PartitionSnapshot, ProcessSnapshot, QueueSnapshot } from './snapshot.ts'

const NANOSECONDS = 1e9
/** Rounds shorter than 2^10 ns are one bucket. */
const FIRST_BUCKET = 10

/** Counters of a net queue by the metric that they are part of, with the reason where several are one metric. */
const NET_METRICS: readonly [name: string, help: string, parts: readonly [counter: NetCounter, reason?: string][]][] = [
  ['queue_receive_packets_total', 'Packets received.', [['rxPackets']]],
  ['queue_receive_bytes_total', 'Bytes received.', [['rxBytes']]],
  [
    'queue_receive_dropped_total',
    'Packets that reached the queue and were not received, by reason.',
    [
      ['rxDroppedNoFrame', 'no_frame'],
      ['rxDroppedRingFull', 'ring_full'],
      ['rxDroppedTooLong', 'too_long'],
      ['rxDroppedFilter', 'filter'],
      ['rxDroppedFault', 'fault'],
    ],
  ],
  ['queue_transmit_packets_total', 'Packets sent.', [['txPackets']]],
  ['queue_transmit_bytes_total', 'Bytes sent.', [['txBytes']]],
  [
    'queue_transmit_dropped_total',
    'Packets that were offered and not sent, by reason.',
    [
      ['txInvalidDescriptors', 'invalid_descriptor'],
      ['txTooLong', 'too_long'],
      ['txUnsupported', 'unsupported'],
      ['txDropped', 'lost'],
    ],
  ],
  ['queue_transmit_ring_full_total', 'Times that the transmit ring was full. Nothing is lost by it.', [['txRingFull']]],
  ['queue_wake_ups_total', 'Calls made to wake a sleeping side.', [['wakeUps']]],
]

/** Everything that a process offers, in the text format of Prometheus. */
export function prometheusText({ machines, observer }: ProcessSnapshot): string {
  const text = new Exposition()
  for (const { name: machine, partitions } of machines) {
    for (const partition of partitions) {
      const labels = { machine, partition: partition.index }
      addPartition(text, labels, partition)
      for (const queue of partition.queues) addQueue(text, labels, queue)
      for (const queue of partition.blocks) addBlockQueue(text, labels, queue)
    }
  }
  const { clients, ...counts } = observer
  text.gauge('parakernel_observer_clients', 'Clients of the observer socket.', {}, clients)
  for (const [name, value] of Object.entries(counts)) {
    text.counter(`parakernel_observer_${snake(name)}_total`, 'What the observer counts about its clients.', {}, value)
  }
  return text.toString()
}

function addPartition(text: Exposition, labels: Labels, partition: PartitionSnapshot): void {
  const { state, cpu, loop, roundTimes, ringDepth } = partition
  text.gauge('parakernel_partition_up', 'Whether the partition runs.', labels, state === 'running' ? 1 : 0)
  if (cpu !== undefined) {
    const ran = 'CPU time of the thread that the partition runs in.'
    text.counter('parakernel_partition_cpu_seconds_total', ran, labels, cpu.ran / NANOSECONDS)
    const waited = 'Time in which that thread was ready to run and had no core.'
    text.counter('parakernel_partition_cpu_wait_seconds_total', waited, labels, cpu.waited / NANOSECONDS)
  }
  for (const [name, value] of Object.entries(loop)) {
    const [, least] = /^batches(\d+)$/.exec(name) ?? []
    if (least !== undefined) {
      const help = 'Polls that did something, by the least of how much: 1, 2 (and 3), 4 (to 7) and so on.'
      text.counter('parakernel_loop_batches_total', help, { ...labels, least }, value)
    } else if (name === 'longestStall') {
      const help = 'The longest time that a step held the loop.'
      text.gauge('parakernel_loop_longest_stall_seconds', help, labels, value / NANOSECONDS)
    } else text.counter(`parakernel_loop_${snake(name)}_total`, `Run loop: ${words(name)}.`, labels, value)
  }
  const { counts, sum } = roundTimes
  const under = counts.slice(0, FIRST_BUCKET).reduce((total, count) => total + count, 0)
  const buckets = counts.slice(FIRST_BUCKET).map((count, i) => ({
    end: 2 ** (FIRST_BUCKET + i) / NANOSECONDS,
    count: i === 0 ? count + under : count,
  }))
  // The last one holds all that is longer, too.
  buckets[buckets.length - 1].end = Infinity
  const help = 'Time from the start of a round with work to the start of the next round.'
  text.histogram('parakernel_loop_round_seconds', help, labels, buckets, sum / NANOSECONDS)
  text.gauge('parakernel_ring_messages', 'Messages of other partitions that wait in the rings.', labels, ringDepth)
}

function addQueue(text: Exposition, labels: Labels, { device, queue, counters, backlog }: QueueSnapshot): void {
  const of = { ...labels, device, queue }
  if (backlog !== undefined) text.gauge('parakernel_queue_backlog', 'Packets that wait to be taken.', of, backlog)
  for (const [name, help, parts] of NET_METRICS) {
    for (const [counter, reason] of parts) {
      text.counter(`parakernel_${name}`, help, reason === undefined ? of : { ...of, reason }, counters[counter])
    }
  }
}

function addBlockQueue(text: Exposition, labels: Labels, { device, queue, counters }: BlockQueueSnapshot): void {
  const of = { ...labels, device, queue }
  for (const [name, value] of Object.entries(counters)) {
    text.counter(`parakernel_block_${snake(name)}_total`, `Block queue: ${words(name)}.`, of, value)
  }
  const outstanding = counters.submitted - counters.completed
  text.gauge('parakernel_block_outstanding', 'Block commands accepted and not yet completed.', of, outstanding)
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function words(name: string): string {
  return snake(name).replaceAll('_', ' ')
}

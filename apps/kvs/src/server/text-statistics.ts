import type { PartitionState } from './partition-state.ts'

/** The answer to `stats`, without its END: this partition's counters under memcached's names where it has one. */
export function textStatistics(state: PartitionState): string {
  const store = state.store.statistics()
  const { geometry } = state.store
  const rows: [string, number | string][] = [
    ['pid', process.pid],
    ['version', '0.0.0-parakernel'],
    ['pointer_size', 64],
    ['threads', state.partitions],
    ['cmd_get', store.hits + store.misses],
    ['cmd_set', store.setsInPlace + store.setsMoved + store.inserts],
    ['get_hits', store.hits],
    ['get_misses', store.misses],
    ['curr_items', store.items],
    ['total_items', store.inserts],
    ['evictions', store.indexEvictions + store.logEvictions],
    ['limit_maxbytes', geometry.dataBytes],
    ['mode', geometry.mode],
    ['partition', state.index],
    ['partitions', state.partitions],
  ]
  for (const [name, value] of Object.entries(state.counters.snapshot())) rows.push([`server_${name}`, value])
  return rows.map(([name, value]) => `STAT ${name} ${value}\r\n`).join('')
}

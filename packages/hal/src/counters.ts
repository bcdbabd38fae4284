/**
 * Named counters over shared memory: the holder of a queue adds with plain stores, any other thread reads. A double
 * counts exactly to 2^53, and an aligned 8-byte load never tears.
 */
export class Counters<Name extends string> {
  readonly names: readonly Name[]
  readonly values: Float64Array

  constructor(names: readonly Name[], buffer: SharedArrayBuffer = countersBuffer(names)) {
    this.names = names
    this.values = new Float64Array(buffer, 0, names.length)
  }

  get(name: Name): number {
    return this.values[this.names.indexOf(name)]
  }

  snapshot(): Record<Name, number> {
    return Object.fromEntries(this.names.map((name, i) => [name, this.values[i]])) as Record<Name, number>
  }
}

export function countersBuffer(names: readonly string[]): SharedArrayBuffer {
  return new SharedArrayBuffer(names.length * 8)
}

/** Adds snapshots up, counter by counter. */
export function sumCounters<Name extends string>(
  names: readonly Name[],
  snapshots: Iterable<Readonly<Record<Name, number>>>,
): Record<Name, number> {
  const sum = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
  for (const snapshot of snapshots) for (const name of names) sum[name] += snapshot[name]
  return sum
}

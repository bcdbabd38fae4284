import { Bench, type BenchOptions, type Fields, IRS, ISS, MSS } from './bench.ts'

/** Connections brought to a state by the shortest way; what was sent on the way is drained. */

export function synSent(options?: BenchOptions): Bench {
  const bench = new Bench(options)
  bench.connection.openActive(ISS, 0, bench.now)
  bench.drain()
  return bench
}

/** By the peer's SYN, as from a listener. */
export function synReceived(options?: BenchOptions, syn: Fields = {}): Bench {
  const bench = new Bench(options)
  openPassive(bench, syn)
  bench.drain()
  return bench
}

export function openPassive(bench: Bench, syn: Fields = {}): void {
  const { connection } = bench
  const open = connection.process
  // The same way into the connection as every other segment of the bench.
  connection.process = (segment, now) => connection.openPassive(segment, ISS, 0, now)
  bench.put({ flags: 'S', seq: IRS, ack: 0, mss: MSS, ...syn })
  connection.process = open
}

export function established(options?: BenchOptions, synAck: Fields = {}): Bench {
  const bench = synSent(options)
  bench.receive({ flags: 'S.', seq: IRS, ack: ISS + 1, mss: MSS, ...synAck })
  bench.connection.events = 0
  return bench
}

/** Closed by the user, FIN not acknowledged. */
export function finWait1(options?: BenchOptions, orphaned = false): Bench {
  const bench = established(options)
  if (orphaned) bench.close()
  else bench.shutdownWrite()
  return bench
}

export function finWait2(options?: BenchOptions, orphaned = false): Bench {
  const bench = finWait1(options, orphaned)
  bench.receive({ ack: ISS + 2 })
  return bench
}

export function closing(options?: BenchOptions, orphaned = false): Bench {
  const bench = finWait1(options, orphaned)
  bench.receive({ flags: 'F.', ack: ISS + 1 })
  return bench
}

export function timeWait(options?: BenchOptions, orphaned = false): Bench {
  const bench = finWait2(options, orphaned)
  bench.receive({ flags: 'F.' })
  return bench
}

export function closeWait(options?: BenchOptions): Bench {
  const bench = established(options)
  bench.receive({ flags: 'F.' })
  return bench
}

export function lastAck(options?: BenchOptions, orphaned = false): Bench {
  const bench = closeWait(options)
  if (orphaned) bench.close()
  else bench.shutdownWrite()
  return bench
}

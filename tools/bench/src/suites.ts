import { fileURLToPath } from 'node:url'

/** The bench files by subject, as paths from the repository's root. */
export const SUITES: Readonly<Record<string, readonly string[]>> = {
  store: ['packages/mica/bench/store.bench.ts', 'packages/mica/bench/scale.bench.ts'],
  'request-path': ['apps/kvs/bench/request-path.bench.ts'],
  echo: [
    'packages/net/bench/udp-echo.bench.ts',
    'packages/net/bench/udp-echo-af-xdp.bench.ts',
    'packages/host/bench/echo.bench.ts',
  ],
  device: [
    'packages/emulated/bench/forward.bench.ts',
    'packages/emulated/bench/two-threads.bench.ts',
    'packages/af-xdp/bench/data-path.bench.ts',
    'packages/af-xdp/bench/forward.bench.ts',
  ],
  queue: [
    'packages/queue/bench/token.bench.ts',
    'packages/kernel/bench/ring.bench.ts',
    'packages/kernel/bench/timer.bench.ts',
    'packages/kernel/bench/round.bench.ts',
  ],
  frames: ['packages/hal/bench/frame-pool.bench.ts', 'packages/probes/bench/probes.bench.ts'],
  'end-to-end': ['apps/kvs/bench/end-to-end/end-to-end.bench.ts'],
}

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

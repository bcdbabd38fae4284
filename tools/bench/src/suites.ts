import { fileURLToPath } from 'node:url'

/** The bench files by subject, as paths from the repository's root. */
export const SUITES: Readonly<Record<string, readonly string[]>> = {
  store: ['packages/mica/bench/store.bench.ts', 'packages/mica/bench/scale.bench.ts'],
  'request-path': ['apps/kvs/bench/request-path.bench.ts'],
  streams: [
    'packages/net/bench/tcp-bulk.bench.ts',
    'packages/net/bench/tcp-bulk-tap.bench.ts',
    'packages/net/bench/tcp-echo.bench.ts',
    'packages/net/bench/loss-recovery.bench.ts',
  ],
  echo: [
    'packages/net/bench/udp-echo.bench.ts',
    'packages/net/bench/udp-echo-af-xdp.bench.ts',
    'packages/host/bench/echo.bench.ts',
    'packages/host/bench/stream-echo.bench.ts',
  ],
  device: [
    'packages/emulated/bench/forward.bench.ts',
    'packages/emulated/bench/two-threads.bench.ts',
    'packages/af-xdp/bench/data-path.bench.ts',
    'packages/af-xdp/bench/forward.bench.ts',
    'packages/tap/bench/forward.bench.ts',
  ],
  'persistent-memory': ['packages/pmem/bench/append.bench.ts', 'packages/storage/bench/persistent-log.bench.ts'],
  queue: [
    'packages/queue/bench/token.bench.ts',
    'packages/queue/bench/memory-queue.bench.ts',
    'packages/queue/bench/sga-builder.bench.ts',
    'packages/queue/bench/packet-filter.bench.ts',
    'packages/kernel/bench/ring.bench.ts',
    'packages/kernel/bench/timer.bench.ts',
    'packages/kernel/bench/round.bench.ts',
    'packages/kernel/bench/ready-set.bench.ts',
    'packages/kernel/bench/lease.bench.ts',
  ],
  log: [
    'packages/storage/bench/durable-append.bench.ts',
    'packages/storage/bench/append.bench.ts',
    'packages/storage/bench/crc32c.bench.ts',
  ],
  files: ['packages/storage/bench/files.bench.ts'],
  records: ['packages/level/bench/records.bench.ts'],
  frames: [
    'packages/hal/bench/frame-pool.bench.ts',
    'packages/hal/bench/copies.bench.ts',
    'packages/probes/bench/probes.bench.ts',
  ],
  'block-device': [
    'packages/io-uring/bench/random-io.bench.ts',
    'packages/io-uring/bench/memory.bench.ts',
    'packages/nvme/bench/driver.bench.ts',
    'packages/emulated/bench/disk.bench.ts',
  ],
  'end-to-end': ['apps/kvs/bench/end-to-end/end-to-end.bench.ts'],
  'tcp-over-veth': ['apps/echo/bench/over-veth.bench.ts'],
}

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

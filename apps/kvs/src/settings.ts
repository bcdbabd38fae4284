import type { OptionSpecs } from '@parakernel/hal'
import { WORKLOADS } from './load/workload.ts'

/** The application's own settings, found under `app` in a config. */
export const APP_SPECS: OptionSpecs = {
  port: {
    type: 'integer',
    min: 1,
    max: 65_000,
    default: 9000,
    description: 'native UDP port of partition 0; partition i answers at port + i',
  },
  memcachedPort: {
    type: 'integer',
    min: 0,
    max: 65_000,
    default: 11_211,
    description: 'memcached UDP port of partition 0; 0 for none',
  },
  guard: {
    type: 'string',
    values: ['private', 'cookie', 'off'],
    default: 'private',
    description:
      'who may be sent more than it sent: private networks, or those with a cookie; only the latter; everybody',
  },
  mode: {
    type: 'string',
    values: ['cache', 'store'],
    default: 'cache',
    description: 'evict what is oldest, or refuse what does not fit',
  },
  concurrency: {
    type: 'string',
    values: ['EREW', 'CREW'],
    default: 'EREW',
    description: 'only the owner reads a partition, or every partition may serve GETs of the others',
  },
  persistence: {
    type: 'string',
    values: ['none', 'log', 'pmem'],
    default: 'none',
    description:
      'where writes are kept: in memory alone, in a log on the block device or in the persistent memory of storage',
  },
  durability: {
    type: 'string',
    values: ['buffered', 'flushed', 'fua'],
    default: 'flushed',
    description: 'with persistence, when a write is acknowledged: at once, or when it is on stable media',
  },
  workload: {
    type: 'string',
    values: WORKLOADS.map((workload) => workload.name),
    default: 'mica-tiny-zipf-95',
    description: 'what the load does',
  },
  keys: {
    type: 'integer',
    min: 1,
    max: 16_000_000,
    default: 200_000,
    description: 'keys that are stored before the measurement',
  },
  duration: { type: 'number', min: 0.1, max: 86_400, default: 6, description: 'seconds that are measured' },
  rate: {
    type: 'number',
    min: 0,
    default: 0,
    description: 'operations a second (open loop); 0: as fast as answers come',
  },
  outstanding: { type: 'integer', min: 1, max: 65_536, default: 512, description: 'operations on their way at most' },
  batch: { type: 'integer', min: 1, max: 60, default: 16, description: 'operations in a datagram at most' },
  seed: { type: 'integer', min: 1, default: 1, description: 'seed of the load' },
  verify: {
    type: 'boolean',
    default: false,
    description: 'read every key once before the measurement',
  },
  report: {
    type: 'string',
    default: './parakernel-report.html',
    description: 'where the report is written; none for no report',
  },
  server: { type: 'string', default: '127.0.0.1', description: 'load: address of the server' },
  json: { type: 'boolean', default: false, description: 'load: print the result as one line of JSON' },
}

export interface AppSettings {
  readonly port: number
  readonly memcachedPort: number
  readonly guard: 'private' | 'cookie' | 'off'
  readonly mode: 'cache' | 'store'
  readonly concurrency: 'EREW' | 'CREW'
  readonly persistence: 'none' | 'log' | 'pmem'
  readonly durability: 'buffered' | 'flushed' | 'fua'
  readonly workload: string
  readonly keys: number
  readonly duration: number
  readonly rate: number
  readonly outstanding: number
  readonly batch: number
  readonly seed: number
  readonly verify: boolean
  readonly report: string
  readonly server: string
  readonly json: boolean
}

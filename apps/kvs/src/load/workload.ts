import { ParakernelError } from '@parakernel/hal'
import { type KeyChoice, LatestChoice, ScrambledZipfChoice, UniformChoice } from './key-choice.ts'
import type { Random } from './random.ts'

type Distribution = 'uniform' | 'zipf' | 'latest'

/** Shares add up to 1. */
interface Mix {
  readonly read: number
  readonly update: number
  readonly insert: number
  /** Read, then write what was read: two operations, one after the other, timed as one. */
  readonly readModifyWrite: number
}

export interface Workload {
  readonly name: string
  readonly description: string
  readonly keyBytes: number
  readonly valueBytes: number
  readonly mix: Mix
  readonly distribution: Distribution
}

const ZIPF_EXPONENT = 0.99

function ycsb(letter: string, description: string, mix: Partial<Mix>, distribution: Distribution = 'zipf'): Workload {
  return {
    name: `ycsb-${letter}`,
    description,
    keyBytes: 24,
    valueBytes: 1000,
    mix: { read: 0, update: 0, insert: 0, readModifyWrite: 0, ...mix },
    distribution,
  }
}

/** YCSB's core workloads with its record of 10 fields of 100 bytes as one value; E needs scans, which MICA has not. */
const YCSB: readonly Workload[] = [
  ycsb('a', '50 % reads, 50 % updates', { read: 0.5, update: 0.5 }),
  ycsb('b', '95 % reads, 5 % updates', { read: 0.95, update: 0.05 }),
  ycsb('c', 'reads only', { read: 1 }),
  ycsb('d', '95 % reads of the latest, 5 % inserts', { read: 0.95, insert: 0.05 }, 'latest'),
  ycsb('f', '50 % reads, 50 % read-modify-writes', { read: 0.5, readModifyWrite: 0.5 }),
]

const MICA_SIZES = [
  ['tiny', 8, 8],
  ['small', 16, 64],
  ['large', 128, 1024],
  ['medium', 16, 100],
] as const

function micaWorkloads(): Workload[] {
  const out: Workload[] = []
  for (const [size, keyBytes, valueBytes] of MICA_SIZES) {
    for (const distribution of ['uniform', 'zipf'] as const) {
      for (const gets of [50, 95]) {
        out.push({
          name: `mica-${size}-${distribution}-${gets}`,
          description: `${keyBytes} B keys, ${valueBytes} B values, ${distribution}, ${gets} % GET`,
          keyBytes,
          valueBytes,
          mix: { read: gets / 100, update: 1 - gets / 100, insert: 0, readModifyWrite: 0 },
          distribution,
        })
      }
    }
  }
  return out
}

export const WORKLOADS: readonly Workload[] = [...YCSB, ...micaWorkloads()]

/** @throws EINVAL with the names that exist */
export function workloadByName(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name)
  if (found !== undefined) return found
  throw new ParakernelError('EINVAL', `there is no workload '${name}'`, {
    subject: 'workload',
    remedy: `Choose one of ${WORKLOADS.map((workload) => workload.name).join(', ')}`,
  })
}

export function keyChoiceOf(distribution: Distribution, keys: number, random: Random): KeyChoice {
  if (distribution === 'uniform') return new UniformChoice(keys)
  if (distribution === 'latest') return new LatestChoice(keys, ZIPF_EXPONENT)
  return new ScrambledZipfChoice(keys, ZIPF_EXPONENT, random)
}

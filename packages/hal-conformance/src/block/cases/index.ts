import type { BlockGroup } from '../case.ts'
import { durability } from './durability.ts'
import { lifeCycle } from './life-cycle.ts'
import { memory } from './memory.ts'
import { opcodes } from './opcodes.ts'
import { pressure } from './pressure.ts'
import { refusals } from './refusals.ts'
import { statistics } from './statistics.ts'
import { transfers } from './transfers.ts'
import { wakeUps } from './wake-ups.ts'
import { workers } from './workers.ts'

/** The whole suite for block devices, as data. */
export const blockGroups: readonly BlockGroup[] = [
  lifeCycle,
  transfers,
  opcodes,
  refusals,
  memory,
  pressure,
  durability,
  wakeUps,
  statistics,
  workers,
]

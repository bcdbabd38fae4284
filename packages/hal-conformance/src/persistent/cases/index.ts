import type { PersistentGroup } from '../case.ts'
import { calls } from './calls.ts'
import { durability } from './durability.ts'
import { leases } from './leases.ts'
import { workers } from './workers.ts'

/** The whole suite for persistent memory, as data. */
export const persistentGroups: readonly PersistentGroup[] = [leases, calls, durability, workers]

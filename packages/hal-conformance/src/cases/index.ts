import type { Group } from '../case.ts'
import { lifeCycle } from './life-cycle.ts'
import { traffic } from './traffic.ts'

export const groups: readonly Group[] = [lifeCycle, traffic]

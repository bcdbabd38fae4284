import type { Group } from '../case.ts'
import { chained } from './chains.ts'
import { columns } from './columns.ts'
import { controlEvents } from './control-events.ts'
import { descriptors } from './descriptors.ts'
import { lifeCycle } from './life-cycle.ts'
import { packetFilter } from './packet-filter.ts'
import { pressure } from './pressure.ts'
import { receiveFilter } from './receive-filter.ts'
import { segmentation } from './segmentation.ts'
import { statistics } from './statistics.ts'
import { steering } from './steering.ts'
import { traffic } from './traffic.ts'
import { wakeUps } from './wake-ups.ts'
import { workers } from './workers.ts'

/** The whole suite, as data. */
export const groups: readonly Group[] = [
  lifeCycle,
  traffic,
  descriptors,
  columns,
  segmentation,
  chained,
  pressure,
  wakeUps,
  controlEvents,
  receiveFilter,
  packetFilter,
  steering,
  statistics,
  workers,
]

import type { Command } from './command.ts'
import { list } from './list.ts'
import { metrics } from './metrics.ts'
import { top } from './top.ts'
import { trace } from './trace.ts'

export const commands: readonly Command[] = [top, list, metrics, trace]

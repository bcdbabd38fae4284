import { execFileSync } from 'node:child_process'
import type { Load, Rate } from './load.ts'

interface FioJob {
  readonly jobs: readonly {
    readonly read: { readonly iops: number }
    readonly write: { readonly iops: number }
    readonly usr_cpu: number
    readonly sys_cpu: number
  }[]
}

/** fio with io_uring on the same file: O_DIRECT, registered file and buffers, no map of what was visited. */
export function fio({ path, bytes, writes, depth, seconds }: Load): Rate {
  const text = execFileSync(
    'fio',
    [
      '--name=bench',
      `--filename=${path}`,
      `--size=${bytes}`,
      `--rw=${writes ? 'randwrite' : 'randread'}`,
      '--bs=4k',
      '--ioengine=io_uring',
      '--registerfiles=1',
      '--fixedbufs=1',
      '--direct=1',
      `--iodepth=${depth}`,
      '--norandommap',
      '--randrepeat=0',
      '--time_based',
      '--ramp_time=200ms',
      `--runtime=${seconds}`,
      '--output-format=json',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [job] = (JSON.parse(text.slice(text.indexOf('{'))) as FioJob).jobs
  const { iops } = writes ? job.write : job.read
  return { value: iops, 'us CPU': ((job.usr_cpu + job.sys_cpu) / 100 / iops) * 1e6 }
}

import { closeSync, constants, existsSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * The file that all cases of a run share, in `folder`: written from end to end once, so that nothing is allocated later, and left
 * there for the next run.
 */
export function scratchFile(folder: string, bytes: number): string {
  mkdirSync(join(folder, 'parakernel-bench'), { recursive: true })
  const path = join(folder, 'parakernel-bench', `random-${bytes >> 20}.img`)
  if (existsSync(path) && statSync(path).size === bytes) return path
  const fd = openSync(path, 'w')
  const chunk = Buffer.alloc(4 << 20, 'parakernel')
  for (let at = 0; at < bytes; at += chunk.length) writeSync(fd, chunk, 0, chunk.length, at)
  closeSync(fd)
  return path
}

/** A disk's, and the one that lies in memory. */
export const DISK_FOLDER = process.env.PARAKERNEL_BENCH_FOLDER ?? tmpdir()
export const MEMORY_FOLDER = '/dev/shm'

export const DIRECT = constants.O_RDWR | constants.O_DIRECT

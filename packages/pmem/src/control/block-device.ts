import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { deviceNumbers } from '@parakernel/linux'

const SECTOR = 512

/** The block device of a file system as sysfs shows it; undefined for one without (tmpfs, btrfs). `dev` is its st_dev. */
export function blockDeviceFolder(dev: number, sysfs = '/sys'): string | undefined {
  const [major, minor] = deviceNumbers(dev)
  try {
    return realpathSync(join(sysfs, 'dev/block', `${major}:${minor}`))
  } catch {
    return undefined
  }
}

/** Whether the caches of the processors are flushed when power fails (eADR), as the NVDIMM region above the device says. */
export function cachesAreDurable(folder: string): boolean {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const domain = text(join(at, 'persistence_domain'))
    if (domain !== undefined) return domain.trim() === 'cpu_cache'
  }
  return false
}

/** Bytes of the device (or of the partition, from its start) that are known to be bad: pairs of offset and length. */
export function badRanges(folder: string): number[] {
  const partition = existsSync(join(folder, 'partition'))
  const list = text(join(partition ? dirname(folder) : folder, 'badblocks')) ?? ''
  const start = partition ? Number(text(join(folder, 'start')) ?? 0) * SECTOR : 0
  const ranges: number[] = []
  for (const line of list.split('\n')) {
    const [sector, count] = line.trim().split(/\s+/).map(Number)
    if (count > 0) ranges.push(sector * SECTOR - start, count * SECTOR)
  }
  return ranges
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

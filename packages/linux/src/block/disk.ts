import { existsSync, readFileSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What lies under a file or block device, as far as sysfs tells. */
export interface Disk {
  /** `vda`, `nvme0n1`, `loop3`. */
  readonly name: string
  readonly physicalBlock: number
  /** Completed writes may be lost until a flush. */
  readonly volatileCache: boolean
  readonly discards: boolean
  /** Has queues that are polled instead of interrupting. */
  readonly polled: boolean
  /** File behind a loop device. */
  readonly backingFile?: string
}

/** The whole disk that device `major:minor` is, or is a partition of; undefined for devices without one (tmpfs, NFS). */
export function diskOf(device: number | bigint): Disk | undefined {
  const [major, minor] = deviceNumbers(device)
  let folder: string
  try {
    folder = realpathSync(`/sys/dev/block/${major}:${minor}`)
  } catch {
    return undefined
  }
  if (existsSync(join(folder, 'partition'))) folder = dirname(folder)
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'utf8').trim()
    } catch {
      return ''
    }
  }
  const backingFile = read('loop/backing_file')
  return {
    name: folder.slice(folder.lastIndexOf('/') + 1),
    physicalBlock: Number(read('queue/physical_block_size')) || 512,
    // Unknown is taken for the worse.
    volatileCache: read('queue/write_cache') !== 'write through',
    discards: Number(read('queue/discard_max_bytes')) > 0,
    polled: read('queue/io_poll') === '1',
    ...(backingFile !== '' && { backingFile }),
  }
}

/** Major and minor number of a `dev_t`, as Node reports it. */
export function deviceNumbers(device: number | bigint): readonly [major: number, minor: number] {
  const d = BigInt(device)
  const major = ((d >> 8n) & 0xfffn) | ((d >> 32n) & ~0xfffn)
  const minor = (d & 0xffn) | ((d >> 12n) & ~0xffn)
  return [Number(major & 0xffff_ffffn), Number(minor & 0xffff_ffffn)]
}

const MEMORY_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x0102_1994, 0x8584_58f6, 0x9584_58f6])

/** tmpfs, ramfs and hugetlbfs: what is written lives as long as the machine runs. */
export function isInMemory(path: string): boolean {
  try {
    return MEMORY_FILE_SYSTEMS.has(Number(statfsSync(path).type))
  } catch {
    return false
  }
}

/**
 * Whether what is flushed to `path` outlives the power: on a disk, and through loop devices down to one. A file system without a
 * disk that sysfs knows (a network's, FUSE) promises nothing that could be checked.
 */
export function reachesMedia(path: string, depth = 0): boolean {
  if (depth > 8) return false
  const status = statSync(path)
  const isDevice = status.isBlockDevice()
  if (!isDevice && isInMemory(path)) return false
  const disk = diskOf(isDevice ? status.rdev : status.dev) ?? (isDevice ? undefined : mountedDisk(status.dev))
  if (disk === undefined || /^(ram|zram)\d/.test(disk.name)) return false
  if (disk.backingFile === undefined) return true
  return existsSync(disk.backingFile) && reachesMedia(disk.backingFile, depth + 1)
}

/** The disk of a file system with a device number of its own (btrfs): the source of its mount. */
export function mountedDisk(device: number | bigint): Disk | undefined {
  const [major, minor] = deviceNumbers(device)
  const id = `${major}:${minor}`
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ')
    if (fields[2] !== id) continue
    const source = fields[fields.indexOf('-') + 2]
    try {
      const status = statSync(source)
      return status.isBlockDevice() ? diskOf(status.rdev) : undefined
    } catch {
      return undefined
    }
  }
  return undefined
}

import { readFileSync, realpathSync, statfsSync } from 'node:fs'
import type { Persistence } from '@parakernel/hal'
import { reachesMedia } from '@parakernel/linux'

/** What msync on a file promises, and in which words. */
export interface FileSystemPromise {
  readonly name: string
  readonly persistence: Persistence
  readonly reason: string
}

/** Magic numbers of statfs(2) (linux/magic.h): file systems whose msync ends with a flush of the device's cache. */
const ON_MEDIA: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  4076150800: 'f2fs',
  801189825: 'zfs',
  3393526350: 'bcachefs',
}
const IN_MEMORY: Readonly<Record<number, string>> = { 16914836: 'tmpfs', 2240043254: 'ramfs', 2508478710: 'hugetlbfs' }

/** Mount options that leave out the flush of the device's cache. */
const WITHOUT_BARRIER = /(?:^|,)(nobarrier|barrier=0|barrier=none)(?:,|$)/

export function fileSystemPromise(path: string): FileSystemPromise {
  return promiseOf(statfsSync(path).type >>> 0, mountOptions(realpathSync(path)), reachesMedia(path))
}

/** `options` are those of the mount, separated by commas; `onDisk`: its blocks lie on a disk that is none of memory. */
export function promiseOf(magic: number, options: string, onDisk = true): FileSystemPromise {
  const memory = IN_MEMORY[magic]
  if (memory !== undefined) {
    return { name: memory, persistence: 'process-crash', reason: `${memory} has no medium under it` }
  }
  const name = ON_MEDIA[magic]
  if (name === undefined) {
    const unknown = `file system 0x${magic.toString(16)}`
    return {
      name: unknown,
      persistence: 'process-crash',
      reason: `what msync promises on ${unknown} is not known here`,
    }
  }
  if (!onDisk) {
    return { name, persistence: 'process-crash', reason: `${name} does not lie on a disk that is known here` }
  }
  const barrier = WITHOUT_BARRIER.exec(options)
  if (barrier !== null) {
    const reason = `${name} is mounted with ${barrier[1]}: the cache of the device is not flushed`
    return { name, persistence: 'host-crash', reason }
  }
  return { name, persistence: 'media', reason: `msync of ${name} ends on the medium` }
}

/** Options of the mount and of its file system, by the longest mount point that the path begins with (proc(5), mountinfo). */
export function mountOptions(path: string, mountInfo = read('/proc/self/mountinfo')): string {
  let longest = ''
  let options = ''
  for (const line of mountInfo.split('\n')) {
    const [mount, system] = line.split(' - ')
    if (system === undefined) continue
    const fields = mount.split(' ')
    const point = fields[4].replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    const inside = path === point || path.startsWith(point === '/' ? '/' : `${point}/`)
    // The later of two mounts on one point hides the earlier.
    if (!inside || point.length < longest.length) continue
    longest = point
    options = `${fields[5]},${system.split(' ')[2] ?? ''}`
  }
  return options
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

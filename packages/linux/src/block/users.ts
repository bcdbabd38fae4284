import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { deviceNumbers } from './disk.ts'

/** What the kernel does with a block device, in words: `mounted on /srv`, `swap space`, `part of md0`; undefined for nothing known. */
export function blockDeviceUse(device: number): string | undefined {
  const [major, minor] = deviceNumbers(device)
  const mounts = lines('/proc/self/mountinfo').map((line) => line.split(' '))
  const mount = mounts.find((fields) => fields[2] === `${major}:${minor}`)
  if (mount !== undefined) return `mounted on ${mount[4]}`
  const folder = `/sys/dev/block/${major}:${minor}`
  const name = /^DEVNAME=(.*)$/m.exec(lines(`${folder}/uevent`).join('\n'))?.[1]
  if (name === undefined) return undefined
  const swaps = lines('/proc/swaps').map((line) => line.split(' ')[0])
  if (swaps.includes(`/dev/${name}`)) return 'swap space'
  const holders = namesIn(`${folder}/holders`)
  if (holders.length > 0) return `part of ${holders.join(', ')}`
  // Of a whole disk: its partitions.
  for (const partition of namesIn(folder).filter((entry) => entry.startsWith(name))) {
    const [id] = lines(`${folder}/${partition}/dev`)
    const of = mounts.find((fields) => fields[2] === id)
    if (of !== undefined) return `its partition ${partition} is mounted on ${of[4]}`
    if (swaps.includes(`/dev/${partition}`)) return `its partition ${partition} is swap space`
    const users = namesIn(`${folder}/${partition}/holders`)
    if (users.length > 0) return `its partition ${partition} is part of ${users.join(', ')}`
  }
  return undefined
}

/** A process, as an error names it. */
export interface LockHolder {
  readonly pid: number
  readonly command: string
  /** The process is gone; what it held is about to be let go of. */
  readonly dead: boolean
}

/** Who holds a flock(2) on the file with this device and inode; undefined when /proc/locks does not tell. */
export function lockHolder(device: number, inode: number): LockHolder | undefined {
  const [major, minor] = deviceNumbers(device)
  const hex = (value: number) => value.toString(16).padStart(2, '0')
  const id = `${hex(major)}:${hex(minor)}:${inode}`
  for (const line of lines('/proc/locks')) {
    const fields = line.trim().split(/\s+/)
    // A second line with an arrow is somebody who waits.
    if (fields[1] !== 'FLOCK' || fields[5] !== id) continue
    const pid = Number(fields[4])
    try {
      // The name of a Node process's main thread says nothing; what it was started as does.
      const [program] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return { pid, command: basename(program), dead: isZombie(pid) }
    } catch {
      return { pid, command: '', dead: true }
    }
  }
  return undefined
}

function isZombie(pid: number): boolean {
  return /^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}

import {
  type ConfinedProgram,
  type Host,
  type MemoryRegion,
  ParakernelError,
  type Poller,
  type Watcher,
} from '@parakernel/hal'
import { allowedCores, pinThread } from './affinity.ts'
import { check } from './errno.ts'
import { calls } from './ffi/calls.ts'
import { foreign } from './ffi/foreign.ts'
import { adviseHugePages, closeRegion, createMemfdRegion, mapMemfdRegion } from './memory/region.ts'
import { becomeConfined } from './process/become-confined.ts'
import { confirmConfinement } from './process/rights.ts'
import { createEventFd, readEventFd, writeEventFd } from './wait/eventfd.ts'
import { DescriptorPoller } from './wait/poller.ts'
import { watchDescriptor } from './wait/uv-poll.ts'

/** The means of a Linux host. Stateless: each thread may have its own. */
export class LinuxHost implements Host {
  readonly name = 'linux'

  /** Throws ENOSYS where foreign calls are impossible: not Linux, or no koffi. */
  constructor() {
    foreign()
  }

  createRegion(byteLength: number, name: string): MemoryRegion {
    return createMemfdRegion(byteLength, name)
  }

  mapRegion(fd: number, byteLength: number): MemoryRegion {
    return mapMemfdRegion(fd, byteLength)
  }

  closeRegion(region: MemoryRegion): void {
    closeRegion(region)
  }

  adviseHugePages(region: MemoryRegion): void {
    adviseHugePages(region)
  }

  cpus(): readonly number[] {
    return allowedCores(process.pid)
  }

  pinThread(cpu: number): void {
    // The mask of the thread shrinks with the first pinning, so the kernel decides what is allowed, not `cpus()`.
    if (!Number.isInteger(cpu) || cpu < 0) {
      throw new ParakernelError('EINVAL', 'is not a CPU number', { subject: `cpu ${cpu}` })
    }
    pinThread([cpu])
  }

  createPoller(fds: readonly number[]): Poller {
    return new DescriptorPoller(fds)
  }

  createEventFd(): number {
    return createEventFd()
  }

  writeEventFd(fd: number): void {
    writeEventFd(fd)
  }

  readEventFd(fd: number): boolean {
    return readEventFd(fd)
  }

  closeFd(fd: number): void {
    check(calls().close(fd), { call: 'close', subject: `descriptor ${fd}` })
  }

  watch(fd: number, ready: () => void): Watcher | undefined {
    return watchDescriptor(fd, ready)
  }

  becomeConfined(program: ConfinedProgram): never {
    return becomeConfined(program)
  }

  confirmConfinement(program: Pick<ConfinedProgram, 'user' | 'parent'>): void {
    confirmConfinement(program)
  }
}

/**
 * What a partition's thread imports as its host, by this package's URL. Importing it loads nothing foreign, so that a machine
 * without koffi can import this package; a call then throws ENOSYS.
 */
export const host: Host = Object.create(LinuxHost.prototype, { name: { value: 'linux', enumerable: true } })

/** For a thread that is told by module name where its host comes from. */
export function createHost(): Host {
  return new LinuxHost()
}

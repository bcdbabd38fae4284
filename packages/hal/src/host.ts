import type { MemoryRegion } from './memory/region.ts'
import type { ConfinedProgram } from './process/confinement.ts'

/**
 * The host's means, as far as floors above `linux` need them. Injected, so that everything else runs on any platform, and
 * so that a test can count what is asked of the host.
 */
export interface Host {
  readonly name: string
  /** Creates a memfd region, sealed against resizing. @throws ENOMEM, ENOTSUP */
  createRegion(byteLength: number, name: string): MemoryRegion
  /** Maps an inherited memfd as a region. */
  mapRegion(fd: number, byteLength: number): MemoryRegion
  /** Unmaps nothing (the engine owns the addresses) but closes the memfd. */
  closeRegion(region: MemoryRegion): void
  /** Asks for huge pages under a region, before it is touched. No promise: a host that has none does nothing. */
  adviseHugePages(region: MemoryRegion): void
  /** CPUs on which this process may run. */
  cpus(): readonly number[]
  /** Pins the calling thread. @throws EINVAL when `cpu` is not one of `cpus()`. */
  pinThread(cpu: number): void
  /**
   * poll(2) for readability: blocks the calling thread for at most `nanoseconds` (rounded up to a millisecond only where
   * the kernel offers no better) and returns the number of ready descriptors. Prepared once, so that a wait allocates
   * nothing.
   */
  createPoller(fds: readonly number[]): Poller
  createEventFd(): number
  writeEventFd(fd: number): void
  /** Resets it; false when it was not set. */
  readEventFd(fd: number): boolean
  closeFd(fd: number): void
  /**
   * Calls `ready` on this thread's Node loop whenever `fd` is readable, or undefined where that is not possible (in
   * workers, or without the symbols): the run loop then polls by timer.
   */
  watch(fd: number, ready: () => void): Watcher | undefined
  /**
   * Gives up every right that is not in `program`, checks that they are gone, and becomes that program: same process, other code.
   * Absent where the host cannot. Returns never.
   * @throws EPERM when a right is still there, or cannot be given up; ENOENT, EACCES for the executable
   */
  becomeConfined?(program: ConfinedProgram): never
  /**
   * Where a program begins that `becomeConfined` started: makes its memory unreadable for its user's other processes, and checks again.
   * @throws EPERM
   */
  confirmConfinement?(program: Pick<ConfinedProgram, 'user' | 'parent'>): void
}

export interface Poller {
  wait(nanoseconds: number): number
  /** Whether the descriptor at `position` of the set was ready in the last `wait`. Without it, any of them may have been. */
  ready?(position: number): boolean
  close(): void
}

export interface Watcher {
  /** `ready` is called at most once for each `resume`. */
  resume(): void
  close(): void
}

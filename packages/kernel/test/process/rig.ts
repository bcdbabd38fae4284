import { createFrameWindow, type Host } from '@parakernel/hal'
import { createHost } from '@parakernel/linux'
import type { TestContext } from 'vitest'
import { type ProcessHandle, type ProcessPlan, type SpawnProcessOptions, spawnProcess } from '../../src/index.ts'

export const HOST_MODULE = import.meta.resolve('@parakernel/linux')
const open: ProcessHandle[] = []
const regions: (() => void)[] = []

/** Skips the test with the reason on a machine where a process cannot be confined. */
export function hostOrSkip(context: TestContext): Host {
  try {
    return createHost()
  } catch (error) {
    return context.skip((error as Error).message)
  }
}

export function rootOrSkip(context: TestContext): void {
  if (process.getuid?.() !== 0) context.skip('needs root, to give root up')
}

/** A window in a region of its own. */
export function memfdWindow(host: Host, frameCount: number, heapBytes = 0, frameSize = 2048) {
  const region = host.createRegion(frameCount * frameSize + heapBytes, 'pk-test')
  regions.push(() => host.closeRegion(region))
  return createFrameWindow({ region, frameCount, frameSize, ...(frameSize > 2048 && { headroom: 0 }) })
}

export function start(
  host: Host,
  plan: Partial<ProcessPlan> & Pick<ProcessPlan, 'module'>,
  options: Partial<SpawnProcessOptions> = {},
): ProcessHandle {
  const window = plan.window ?? memfdWindow(host, 32, 65_536)
  const handle = spawnProcess(
    {
      name: 'p0',
      index: 0,
      partitions: 2,
      leases: [],
      window,
      heap: { byteOffset: 65_536, byteLength: 4096 },
      incoming: [],
      outgoing: [],
      cpu: undefined,
      wait: { kind: 'hybrid' },
      hostModule: HOST_MODULE,
      debugFrames: true,
      data: {},
      ...plan,
    },
    { host, execArgv: ['--conditions=source'], ...options },
  )
  open.push(handle)
  return handle
}

export async function closeAll(): Promise<void> {
  for (const handle of open.splice(0)) await handle.kill()
  for (const close of regions.splice(0)) close()
}

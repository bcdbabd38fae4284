import { createFrameWindow, createPlainRegion, type FrameWindow, type Host, ParakernelError } from '@parakernel/hal'
import type { Settings } from '../settings/resolved.ts'

/** One region for each partition: frames first, the heap behind them. */
export interface PartitionMemory {
  readonly window: FrameWindow
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  /** Gives a memfd back; the engine owns the pages. */
  release(): void
}

/** So that a heap starts on a page of its own. */
const PAGE = 4096

/** @throws ENOMEM, ENOTSUP when a memfd is asked for and there is no host */
export function createPartitionMemory(
  settings: Settings,
  { count, size }: Settings['frames'],
  name: string,
  host: Host | undefined,
): PartitionMemory {
  const byteOffset = Math.ceil((count * size) / PAGE) * PAGE
  const byteLength = settings.heap
  const total = byteOffset + byteLength
  if (settings.memory === 'plain') {
    const region = createPlainRegion(total)
    host?.adviseHugePages(region)
    return {
      window: createFrameWindow({ region, frameCount: count, frameSize: size }),
      heap: { byteOffset, byteLength },
      release() {},
    }
  }
  if (host === undefined) {
    throw new ParakernelError('ENOTSUP', 'memfd needs a host', {
      subject: 'memory',
      remedy: 'Install @parakernel/linux, or set memory to "plain"',
    })
  }
  const region = host.createRegion(total, name)
  return {
    window: createFrameWindow({ region, frameCount: count, frameSize: size }),
    heap: { byteOffset, byteLength },
    release: () => host.closeRegion(region),
  }
}

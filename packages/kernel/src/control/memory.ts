import {
  createFrameWindow,
  createPlainRegion,
  DEFAULT_FRAME_SIZE,
  type FrameWindow,
  type Host,
  ParakernelError,
} from '@parakernel/hal'
import type { PartitionSpecification } from './specification.ts'

const PAGE = 4096
const DEFAULT_FRAMES = 512

/** Memory of one life of a partition: frames, and the heap behind them on a page of its own. */
export interface Memory {
  readonly window: FrameWindow
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  /** Closes a memfd; the engine owns the pages. */
  release(): void
}

/** @throws EINVAL, ENOMEM; ENOTSUP for a memfd without a host */
export function createMemory(
  { name, memory = {} }: PartitionSpecification,
  wake: SharedArrayBuffer,
  host: Host | undefined,
): Memory {
  const { frames: frameCount = DEFAULT_FRAMES, frameSize = DEFAULT_FRAME_SIZE, heap = 0, kind = 'plain' } = memory
  const byteOffset = Math.ceil((frameCount * frameSize) / PAGE) * PAGE
  if (kind === 'memfd' && host === undefined) {
    throw new ParakernelError('ENOTSUP', 'a memfd needs a host', {
      subject: `partition ${name}`,
      remedy: 'Give the control plane one, or take plain memory',
    })
  }
  const region =
    kind === 'memfd' ? (host as Host).createRegion(byteOffset + heap, name) : createPlainRegion(byteOffset + heap)
  // Somebody may have died in its sleep.
  new Int32Array(wake).fill(0)
  return {
    window: createFrameWindow({ region, frameCount, frameSize, wake }),
    heap: { byteOffset, byteLength: heap },
    release: () => {
      if (kind === 'memfd') host?.closeRegion(region)
    },
  }
}

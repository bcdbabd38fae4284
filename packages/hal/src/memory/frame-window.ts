import { ParakernelError } from '../errors.ts'
import { createPlainRegion, type MemoryRegion } from './region.ts'

/**
 * The part of a region that one lease holds, cut into equal frames. A device registers this window and nothing else
 * (UMEM, IOMMU mapping), and refuses descriptors outside it. Plain clonable data.
 */
export interface FrameWindow {
  readonly region: MemoryRegion
  /** Where frame 0 starts, in bytes from the start of the region; a multiple of `frameSize`. */
  readonly byteOffset: number
  /** Bytes a frame, headroom and tailroom included. */
  readonly frameSize: number
  readonly frameCount: number
  /** Bytes before received data, in which a libOS prepends headers. */
  readonly headroom: number
  /** Bytes at a frame's end that a device never fills. */
  readonly tailroom: number
  /** Names the lease in errors and counters; unique within a control plane. */
  readonly lease: number
  /** The partition's wake word (see `WakeWord`), shared by every queue that the partition holds. */
  readonly wake: SharedArrayBuffer
}

/**
 * 262 = 256 (what AF_XDP reserves before a frame's data) + 6. The 6 put an Ethernet frame's IPv4 header on a 4-byte
 * and its UDP payload on an 8-byte boundary, so that both are read by words.
 */
export const DEFAULT_HEADROOM = 262
export const DEFAULT_FRAME_SIZE = 2048

export interface FrameWindowOptions {
  readonly region: MemoryRegion
  readonly byteOffset?: number
  readonly frameSize?: number
  readonly frameCount: number
  readonly headroom?: number
  readonly tailroom?: number
  readonly lease?: number
  readonly wake?: SharedArrayBuffer
}

let nextLease = 1

/**
 * Describes a window and checks that it lies in its region.
 * @throws EINVAL naming the bound that is broken.
 */
export function createFrameWindow(options: FrameWindowOptions): FrameWindow {
  const {
    region,
    byteOffset = 0,
    frameSize = DEFAULT_FRAME_SIZE,
    frameCount,
    headroom = DEFAULT_HEADROOM,
    tailroom = 0,
    lease = nextLease++,
    wake = new SharedArrayBuffer(64),
  } = options
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject: `frame window ${lease}` })
  if (!Number.isInteger(frameSize) || frameSize < 64 || frameSize % 64 !== 0) {
    throw invalid(`frame size ${frameSize} is not a multiple of 64`)
  }
  if (!Number.isInteger(frameCount) || frameCount < 1) throw invalid(`frame count ${frameCount} is not positive`)
  if (!Number.isInteger(byteOffset) || byteOffset < 0 || byteOffset % frameSize !== 0) {
    throw invalid(`byte offset ${byteOffset} is not a multiple of the frame size ${frameSize}`)
  }
  if (byteOffset + frameSize * frameCount > region.byteLength) {
    throw invalid(
      `${frameCount} frames of ${frameSize} bytes at ${byteOffset} end beyond the region's ${region.byteLength} bytes`,
    )
  }
  const whole = Number.isInteger(headroom) && Number.isInteger(tailroom)
  if (!whole || headroom < 0 || tailroom < 0 || headroom + tailroom >= frameSize) {
    throw invalid(`headroom ${headroom} and tailroom ${tailroom} leave no room in a frame of ${frameSize} bytes`)
  }
  return { region, byteOffset, frameSize, frameCount, headroom, tailroom, lease, wake }
}

/** A window over a plain region of its own: what a test or a small program needs. */
export function createPlainWindow(frameCount: number, options: Partial<FrameWindowOptions> = {}): FrameWindow {
  const frameSize = options.frameSize ?? DEFAULT_FRAME_SIZE
  return createFrameWindow({ ...options, region: createPlainRegion(frameCount * frameSize), frameCount })
}

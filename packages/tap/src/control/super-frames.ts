import { type FrameWindow, ParakernelError } from '@parakernel/hal'
import { setLink } from '@parakernel/linux'
import { ETHERNET_HEADER } from '../ethernet.ts'
import type { TapOptions } from '../options.ts'
import { MOST_ENTRIES } from './capabilities.ts'
import { inside } from './open-interface.ts'

/** The kernel's own limit, which the interface has at first. */
const LONGEST = 65_536

/**
 * Makes the kernel send no super-frames of more entries than a default burst has: a packet that never fits would be dropped.
 * Returns the limit, in bytes, that holds now.
 */
export function limitSuperFrames(
  options: TapOptions,
  index: number,
  { frameSize, headroom, tailroom }: FrameWindow,
  before: number,
  warn: (message: string) => void,
): number {
  const limit = Math.min(LONGEST, (frameSize - headroom - tailroom) * MOST_ENTRIES - ETHERNET_HEADER, before)
  if (limit === before) return before
  try {
    inside(options, () => setLink(index, { maxSegmentedSize: limit }, options.interface))
    return limit
  } catch (error) {
    if (!(error instanceof ParakernelError) || error.code !== 'EPERM') throw error
    if (limit < LONGEST) {
      warn(
        `${options.interface}: no permission to limit super-frames to ${limit} bytes; longer ones are dropped. ` +
          `Use larger frames, or run: ip link set ${options.interface} gso_max_size ${limit} gso_ipv4_max_size ${limit}`,
      )
    }
    return before
  }
}

import type { NetDevice } from '@parakernel/hal'
import type { ResolvedConfig, Settings } from '../settings/resolved.ts'

/**
 * Frames of a partition with its device known. Each queue may keep a whole receive ring of frames posted; unless the config says
 * how many there are, as many again are left for what the partition sends and holds.
 */
export function framesFor(
  { settings, origins }: ResolvedConfig,
  device: NetDevice | undefined,
  warn: (message: string) => void,
): Settings['frames'] {
  const { frames, partitions } = settings
  if (device === undefined) return frames
  const queues = Math.ceil(device.queues / partitions)
  const posted = queues * device.capabilities.ringSize
  const isDefault = (path: string) => origins.get(path)?.layer === 'default'
  if (isDefault('frames.count')) {
    const count = Math.max(frames.count, 2 * posted)
    return { ...frames, count, reserve: isDefault('frames.reserve') ? Math.floor(count / 4) : frames.reserve }
  }
  // One queue leaves half of the frames alone, however few they are.
  if (queues > 1 && posted >= frames.count) {
    warn(
      `${device.name}: frames.count is ${frames.count}, and the receive rings of a partition may hold ${posted}; at least ${2 * posted} leave room to send`,
    )
  }
  return frames
}

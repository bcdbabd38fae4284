import { type NetDevice, ParakernelError } from '@parakernel/hal'
import type { ResolvedConfig, Settings } from '../settings/resolved.ts'
import { isBlock, type StorageDevice } from './storage.ts'

/**
 * Frames of a partition with its devices known. Each queue may keep a whole receive ring of frames posted; unless the config says
 * how many there are, as many again are left for what the partition sends and holds.
 */
export function framesFor(
  config: ResolvedConfig,
  devices: readonly NetDevice[],
  storage: StorageDevice | undefined,
  warn: (message: string) => void,
): Settings['frames'] {
  const { settings, origins } = config
  const { partitions } = settings
  const frames = { ...settings.frames, size: frameSize(config, storage) }
  if (devices.length === 0) return frames
  const queuesOf = (device: NetDevice) => Math.ceil(device.queues / partitions)
  const queues = devices.reduce((sum, device) => sum + queuesOf(device), 0)
  const posted = devices.reduce((sum, device) => sum + queuesOf(device) * device.capabilities.ringSize, 0)
  const isDefault = (path: string) => origins.get(path)?.layer === 'default'
  if (isDefault('frames.count')) {
    const count = Math.max(frames.count, 2 * posted)
    return { ...frames, count, reserve: isDefault('frames.reserve') ? Math.floor(count / 4) : frames.reserve }
  }
  // One queue leaves half of the frames alone, however few they are.
  if (queues > 1 && posted >= frames.count) {
    warn(
      `${devices.map(({ name }) => name).join(', ')}: frames.count is ${frames.count}, and the receive rings of a partition may hold ${posted}; at least ${2 * posted} leave room to send`,
    )
  }
  return frames
}

/** Blocks are moved in frames: each holds whole ones, and whole pages for a device that reaches memory by pages. */
function frameSize({ settings, origins }: ResolvedConfig, storage: StorageDevice | undefined): number {
  const { size } = settings.frames
  if (storage === undefined || !isBlock(storage)) return size
  const { blockSize, segmentPage } = storage.capabilities
  const unit = Math.max(blockSize, segmentPage)
  if (size % unit === 0) return size
  const fitting = Math.ceil(size / unit) * unit
  if (origins.get('frames.size')?.layer === 'default') return fitting
  throw new ParakernelError('EINVAL', `${size} is not a multiple of ${unit}, as ${storage.name} needs it`, {
    subject: 'frames.size',
    remedy: `Set it to ${fitting}, or leave it out`,
  })
}

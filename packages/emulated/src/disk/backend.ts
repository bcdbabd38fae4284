import { statSync } from 'node:fs'
import type { BlockBackend, BlockQueueGrant } from '@parakernel/hal'
import { allocateMedia, attachDisk, EmulatedDisk } from './emulated-disk.ts'
import { ImageFile } from './image-file.ts'
import { giveMediaBack, takeMedia } from './named-disks.ts'
import { type DiskOptions, diskOptionSpecs, resolveDisk } from './options.ts'
import type { DiskTransport } from './transport.ts'

declare module '@parakernel/hal' {
  interface BlockBackendOptions {
    emulated: DiskOptions
  }
}

/** What a config's `backend: 'emulated'` resolves to in its storage section. */
export const blockBackend: BlockBackend<DiskOptions> = {
  kind: 'block-backend',
  name: 'emulated',
  options: diskOptionSpecs,
  probe: () => ({ available: true }),
  async open({ path, ...asked }, { clock }) {
    const options = withImageSize(path, asked)
    const { totalBlocks, capabilities } = resolveDisk(
      { ...options, ...(path !== undefined && { path }) },
      clock,
      undefined,
    )
    const { blockSize, persistence } = capabilities
    const byteLength = totalBlocks * blockSize
    const { name } = options
    const make = () => allocateMedia(byteLength, name ?? path ?? 'emulated disk')
    if (path !== undefined) {
      const media = make()
      const image = ImageFile.open(path, media, blockSize)
      const disk = new EmulatedDisk({ name: path, ...options, persistence, clock, media, image })
      disk.onClosed(() => image.close())
      return disk
    }
    if (name === undefined) return new EmulatedDisk({ ...options, clock })
    const media = takeMedia(name, byteLength, blockSize, make)
    const disk = new EmulatedDisk({ ...options, clock, media })
    disk.onClosed(() => giveMediaBack(name))
    return disk
  },
  attach: (grant, context) => attachDisk(grant as BlockQueueGrant<DiskTransport>, context),
}

/** An image that is there says its size, where the options do not. */
function withImageSize(path: string | undefined, options: DiskOptions): DiskOptions {
  if (path === undefined || (options.size ?? options.blocks ?? options.namespaces) !== undefined) return options
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() && stats.size > 0 ? { ...options, size: stats.size } : options
}

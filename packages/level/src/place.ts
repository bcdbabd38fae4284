import {
  type BlockBackend,
  type BlockDevice,
  type BlockQueue,
  createFrameWindow,
  createPlainRegion,
  FramePool,
  type Host,
  MonotonicClock,
  ParakernelError,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { openBlockMedium } from '@parakernel/storage'
import type { BackendName, OpenedMedium, PlaceOptions } from './options.ts'

const MiB = 1 << 20
const FRAME = 16_384

/** Opens the place of a database again and again. */
export interface Place {
  open(): Promise<OpenedMedium>
}

/** @throws EINVAL for options that name no place, or two */
export function placeOf(options: PlaceOptions): Place {
  const named = [options.medium, options.open, options.backend].filter((one) => one !== undefined)
  if (named.length > 1) {
    throw new ParakernelError('EINVAL', 'more than one of `medium`, `open` and `backend` is given', {
      subject: 'ParakernelLevel',
      remedy: 'Give one of them',
    })
  }
  const { medium, open } = options
  if (medium !== undefined) return { open: async () => ({ medium, close: () => {} }) }
  if (open !== undefined) return { open }
  return new BackendPlace(options)
}

/** A device that a backend opens by name, and a loop for it. */
class BackendPlace implements Place {
  readonly #options: PlaceOptions
  readonly #name: BackendName
  /** Memory has to outlive a closing and opening again; a file does by itself. */
  #memory: BlockDevice | undefined

  constructor(options: PlaceOptions) {
    this.#options = options
    this.#name = options.backend ?? 'emulated'
  }

  async open(): Promise<OpenedMedium> {
    const { frameBytes = 4 * MiB } = this.#options
    const clock = new MonotonicClock()
    const backend = await loadBackend(this.#name)
    const host = this.#name === 'emulated' ? undefined : await loadHost()
    const context = { clock, ...(host !== undefined && { host }) }
    const device = this.#memory ?? (await backend.open(this.#backendOptions(), context))
    const volatile = this.#name === 'emulated' && this.#options.path === undefined
    if (volatile) this.#memory = device
    const loop = new RunLoop({ clock, ...(host !== undefined && { host }) })
    const frameCount = Math.max(32, Math.floor(frameBytes / FRAME))
    const region = createPlainRegion(frameCount * FRAME)
    const window = createFrameWindow({ region, frameSize: FRAME, frameCount, headroom: 0 })
    const pool = new FramePool(window)
    const blocks = device.namespaces.get(1) as number
    const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks }, window)
    const queue = (await backend.attach(grant, { pool, ...context })) as BlockQueue
    const medium = openBlockMedium(queue, loop)
    loop.start('guest')
    const close = async () => {
      medium.close()
      device.reclaim(grant)
      loop.close()
      if (!volatile) await device.close()
    }
    return { medium, close }
  }

  #backendOptions(): Record<string, unknown> {
    const { path, size = 64 * MiB, backendOptions } = this.#options
    const blockSize = 4096
    const place = path === undefined ? {} : { path }
    if (this.#name === 'emulated')
      return { blocks: Math.floor(size / blockSize), blockSize, ...place, ...backendOptions }
    return { size, blockSize, ...place, ...backendOptions }
  }
}

async function loadBackend(name: BackendName): Promise<BlockBackend> {
  const module = `@parakernel/${name}`
  const { blockBackend } = (await optional(module)) as { blockBackend: BlockBackend }
  return blockBackend
}

async function loadHost(): Promise<Host> {
  const { createHost } = (await optional('@parakernel/linux')) as { createHost: () => Host }
  return createHost()
}

async function optional(module: string): Promise<unknown> {
  try {
    return await import(/* @vite-ignore */ module)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new ParakernelError('ENODEV', `the package ${module} is not installed`, {
      subject: 'ParakernelLevel',
      remedy: `npm install ${module}`,
      cause: error,
    })
  }
}

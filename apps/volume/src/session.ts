import { rmSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { type Medium, openBlockMedium, openPersistentMedium, storageLibos, type VolumeLibOS } from '@parakernel/storage'
import { type OpenedImage, openImage } from './device/backends.ts'
import { lookAtImage } from './device/image-header.ts'
import { createMachine, type Machine } from './device/machine.ts'
import { EXIT, Failure } from './exit-codes.ts'
import type { Invocation } from './invocation.ts'

export interface SessionOptions {
  /** Nothing is written, not even by recovery. */
  readonly readOnly?: boolean
  /** The snapshot of this name instead of the live volume. */
  readonly snapshot?: string | undefined
  /** Makes the file when it is not there. */
  readonly create?: boolean
}

/** Mounts the volume of an image, and unmounts it whatever happens. */
export function withVolume<T>(
  invocation: Invocation,
  { readOnly = false, snapshot }: SessionOptions,
  body: (volume: VolumeLibOS, opened: OpenedImage) => Promise<T>,
): Promise<T> {
  return withImage(invocation, {}, async (machine, opened) => {
    const libos = (await storageLibos.create(
      { format: false, readOnly, durability: 'buffered', ...(snapshot !== undefined && { snapshot }) },
      { ...machine, ...opened, partition: 0, partitions: 1 },
    )) as VolumeLibOS
    let result: T
    try {
      result = await body(libos, opened)
    } catch (error) {
      // The first error is the one to tell.
      await libos.shutdown().catch(() => {})
      throw error
    }
    await libos.shutdown()
    return result
  })
}

/** Opens an image as a medium, for what works below a mounted volume. */
export function withMedium<T>(
  invocation: Invocation,
  options: SessionOptions,
  body: (medium: Medium, opened: OpenedImage) => Promise<T>,
): Promise<T> {
  return withImage(invocation, options, async ({ loop, pool }, opened) => {
    const { block, persistent } = opened
    if (block === undefined && persistent === undefined) throw new Failure(EXIT.failed, 'the backend gave no device')
    const medium =
      block === undefined ? openPersistentMedium(persistent as never, pool, loop) : openBlockMedium(block, loop)
    try {
      return await body(medium, opened)
    } finally {
      medium.close()
    }
  })
}

async function withImage<T>(
  { image: request, terminal }: Invocation,
  { create = false }: SessionOptions,
  body: (machine: Machine, opened: OpenedImage) => Promise<T>,
): Promise<T> {
  const image = lookAtImage(request.path)
  if (image === undefined && !create) {
    throw new ParakernelError('ENOENT', 'is not there', {
      subject: `image ${request.path}`,
      remedy: 'Make a volume with `parakernel-volume mkfs --path ... --size 64MiB`',
    })
  }
  if (image !== undefined && !image.isDevice && image.size === 0 && !create) {
    throw new Failure(
      EXIT.damaged,
      `image ${request.path} is empty: restore it, or make a volume with mkfs --size 64MiB`,
    )
  }
  const isMade = image === undefined || (!image.isDevice && image.size === 0)
  if (isMade && request.size === undefined) {
    const found = image === undefined ? 'not there' : 'empty'
    throw new Failure(EXIT.usage, `image ${request.path} is ${found}: say how large it shall be, by --size 64MiB`)
  }
  const machine = await createMachine((message) => terminal.err(`parakernel-volume: ${message}`))
  try {
    const opened = await openImage(request, image, machine.pool, machine.context)
    try {
      return await body(machine, opened)
    } catch (error) {
      // A file that was made for this command is not left behind without a volume. Its lock is still held.
      if (image === undefined && lookAtImage(request.path)?.header === undefined) rmSync(request.path, { force: true })
      throw error
    } finally {
      await opened.close()
    }
  } finally {
    machine.loop.stop()
  }
}

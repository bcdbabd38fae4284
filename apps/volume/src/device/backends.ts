import { closeSync, openSync } from 'node:fs'
import {
  attachBlockQueue,
  attachPersistentRegion,
  type BackendContext,
  type BlockBackend,
  type BlockQueue,
  type FramePool,
  ParakernelError,
  type PersistentBackend,
  type PersistentRegion,
} from '@parakernel/hal'
import { EXIT, Failure, usageError } from '../exit-codes.ts'
import type { ImageFile } from './image-header.ts'

/** Blocks of a new image, where nothing else is said. */
const BLOCK_SIZE = 4096
/** Of images on persistent memory, whose blocks are its cache lines. */
const CACHE_LINE = 64

export const BACKENDS = ['io-uring', 'emulated', 'pmem'] as const
export type BackendName = (typeof BACKENDS)[number]

export interface ImageRequest {
  readonly path: string
  readonly backend: BackendName | undefined
  /** Bytes of an image that is to be made. */
  readonly size: number | undefined
  readonly blockSize: number | undefined
  /** More options of the backend. */
  readonly options: Readonly<Record<string, unknown>>
  readonly readOnly: boolean
}

/** One queue or region over the whole image. */
export interface OpenedImage {
  readonly backend: BackendName
  readonly block: BlockQueue | undefined
  readonly persistent: PersistentRegion | undefined
  close(): Promise<void>
}

type AnyBackend = BlockBackend<object> | PersistentBackend<object>

async function load(name: BackendName, onPersistentMemory: boolean): Promise<AnyBackend> {
  if (name === 'pmem') return (await import('@parakernel/pmem')).persistentBackend as AnyBackend
  if (name === 'io-uring') return (await import('@parakernel/io-uring')).blockBackend as AnyBackend
  const emulated = await import('@parakernel/emulated')
  return (onPersistentMemory ? emulated.persistentBackend : emulated.blockBackend) as AnyBackend
}

/** Opens an image by the backend that was asked for, or by the one that fits it and runs here. */
export async function openImage(
  request: ImageRequest,
  image: ImageFile | undefined,
  pool: FramePool,
  context: BackendContext,
): Promise<OpenedImage> {
  const blockSize = image?.header?.blockSize ?? request.blockSize
  const isPersistent = request.backend === 'pmem' || blockSize === CACHE_LINE
  const name = request.backend ?? (await choose(isPersistent, context))
  if (isPersistent && name === 'io-uring') {
    throw new Failure(EXIT.failed, `${request.path} was made on persistent memory: use --backend pmem`)
  }
  const backend = await load(name, isPersistent)
  const able = backend.probe(context)
  if (!able.available) throw new Failure(EXIT.failed, `backend ${name}: ${able.missing}. ${able.remedy}`)
  const size = request.size ?? (image?.isDevice ? undefined : image?.size)
  const options = { ...sizeOptions(isPersistent, size, blockSize), path: request.path, ...request.options }
  checkNames(name, backend, options)
  const unlock = name === 'emulated' && image?.isDevice !== true ? await lockImage(request.path, context) : () => {}
  const open = async <T extends { close(): Promise<void> }>(opening: Promise<T>) => {
    const device = await opening.catch((error: unknown) => {
      unlock()
      throw error
    })
    return { device, close: () => device.close().finally(unlock) }
  }
  if (backend.kind === 'persistent-backend') {
    const { device, close } = await open(backend.open(options, context))
    const grant = device.grant({ byteOffset: 0, byteLength: device.byteLength })
    const persistent = await attachPersistentRegion(grant, context)
    return { backend: name, block: undefined, persistent, close }
  }
  const { device, close } = await open(backend.open(options, context))
  const [[namespace, blocks]] = device.namespaces
  const grant = device.grant(0, { namespace, firstLba: 0, blocks }, pool.window)
  const block = await attachBlockQueue(grant, { pool, ...context })
  return { backend: name, block, persistent: undefined, close }
}

/**
 * The lock that the other backends take by themselves: a disk in memory knows nothing of other processes. Without the door to the
 * system there is none.
 */
async function lockImage(path: string, { host }: BackendContext): Promise<() => void> {
  if (host === undefined) return () => {}
  const { tryLock } = await import('@parakernel/linux')
  // Makes the file where there is none, as the backend would.
  const fd = openSync(path, 'a', 0o600)
  if (tryLock(fd, path)) return () => closeSync(fd)
  closeSync(fd)
  throw new ParakernelError('EBUSY', 'another program has it open', {
    subject: path,
    remedy: 'Close it there, or choose another path; nothing was written',
  })
}

/** What runs here: io_uring, or a disk in memory that is loaded from the file and written back to it. */
async function choose(isPersistent: boolean, context: BackendContext): Promise<BackendName> {
  const wanted = isPersistent ? 'pmem' : 'io-uring'
  const able = (await load(wanted, isPersistent)).probe(context)
  if (able.available) return wanted
  context.warn?.(
    `${wanted} cannot be used (${able.missing}); the image is loaded into memory and written back instead. ${able.remedy}`,
  )
  return 'emulated'
}

function sizeOptions(isPersistent: boolean, size: number | undefined, blockSize = BLOCK_SIZE): Record<string, unknown> {
  return { ...(!isPersistent && { blockSize }), ...(size !== undefined && { size }) }
}

function checkNames(name: BackendName, backend: AnyBackend, options: object): void {
  for (const option of Object.keys(options)) {
    if (option in backend.options) continue
    const known = Object.keys(backend.options).join(', ')
    throw usageError(`backend ${name} has no option ${option}; it has ${known}`)
  }
}

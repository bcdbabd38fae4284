import { type MemoryRegion, ParakernelError, type PersistentCapabilities } from '@parakernel/hal'
import { CACHE_LINE, mapFileRegion, writeBackInstruction } from '@parakernel/linux'
import type { PmemOptions } from '../options.ts'
import type { WriteBack } from '../transport.ts'
import { blockDeviceFolder, cachesAreDurable } from './block-device.ts'
import { fileSystemPromise } from './file-system.ts'
import type { OpenFile } from './open-file.ts'

/** Bytes of a page of msync, on x64 and on arm64 as Debian builds it. */
export const PAGE = 4096

export interface Mapping {
  readonly region: MemoryRegion
  readonly writeBack: WriteBack
  readonly capabilities: PersistentCapabilities
  /** Which guarantee holds and why, in a sentence. */
  readonly guarantee: string
  /** Why not a better one; undefined where there is none. */
  readonly warning: string | undefined
}

/** Maps the file in the best way that the options and the machine allow. Throws ENOTSUP when the options ask for more. */
export function mapFile(file: OpenFile, { granularity = 'auto', force = false }: PmemOptions): Mapping {
  if (granularity === 'page') {
    if (force)
      throw refused(file, 'EINVAL', 'force is for cache lines, and granularity is page', 'Leave out one of them')
    return byPage(file, 'pages, as granularity asks')
  }
  const instruction = writeBackInstruction()
  if (instruction === undefined) {
    const why = `no write-back of cache lines is known for this processor (${process.arch})`
    if (granularity === 'auto' && !force) return byPage(file, why)
    throw refused(file, 'ENOTSUP', why, "Use granularity 'page'")
  }
  const region = mapDax(file)
  if (region !== undefined) {
    const folder = blockDeviceFolder(file.device)
    const fence = folder !== undefined && cachesAreDurable(folder)
    return {
      region,
      writeBack: { by: fence ? 'fence' : 'line', instruction },
      capabilities: { granularity: fence ? 1 : CACHE_LINE, persistence: 'media' },
      guarantee: fence
        ? 'DAX with MAP_SYNC, caches that outlive a power failure: a fence ends on the medium'
        : `DAX with MAP_SYNC: ${instruction} and a fence end on the medium`,
      warning: undefined,
    }
  }
  const why = 'the file is not on a DAX file system (MAP_SYNC is refused)'
  if (force) {
    const guarantee = `${instruction} and a fence by force, although ${why}: stores survive the process alone`
    return {
      region: mapFileRegion(file.fd, file.byteLength, file.path, false),
      writeBack: { by: 'line', instruction },
      capabilities: { granularity: CACHE_LINE, persistence: 'process-crash' },
      guarantee,
      warning: guarantee,
    }
  }
  if (granularity === 'auto') return byPage(file, why)
  throw refused(
    file,
    'ENOTSUP',
    `cache-line granularity is not possible: ${why}`,
    "Mount persistent memory with -o dax, use granularity 'page', or force it for a test",
  )
}

function mapDax(file: OpenFile): MemoryRegion | undefined {
  try {
    return mapFileRegion(file.fd, file.byteLength, file.path, true)
  } catch (error) {
    if (error instanceof ParakernelError && error.code === 'ENOTSUP') return undefined
    throw error
  }
}

function byPage(file: OpenFile, why: string): Mapping {
  const { persistence, reason } = fileSystemPromise(file.path)
  const guarantee = `msync by pages of ${PAGE} bytes: ${reason}`
  return {
    region: mapFileRegion(file.fd, file.byteLength, file.path, false),
    writeBack: { by: 'page' },
    capabilities: { granularity: PAGE, persistence },
    guarantee,
    warning: `${guarantee}; ${why}`,
  }
}

function refused({ path }: OpenFile, code: 'EINVAL' | 'ENOTSUP', message: string, remedy: string): ParakernelError {
  return new ParakernelError(code, message, { subject: path, remedy })
}

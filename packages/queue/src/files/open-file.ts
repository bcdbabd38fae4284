import type { Durability, OpenOptions, StorageLibOS } from '../storage-libos.ts'
import { retryAfterSync } from './retry-after-sync.ts'
import { StorageFile } from './storage-file.ts'

/** Opens a file. Rejects with ENOENT and the like, see `StorageLibOS.open`. */
export async function openFile(libos: StorageLibOS, path: string, options: OpenOptions = {}): Promise<StorageFile> {
  return new StorageFile(libos, await retryAfterSync(libos, () => libos.open(path, options)), path)
}

/** The bytes of a file. */
export async function readFile(libos: StorageLibOS, path: string): Promise<Uint8Array<ArrayBuffer>> {
  await using file = await openFile(libos, path)
  return await file.bytes()
}

/** Makes a file of these bytes, or makes these bytes of a file. */
export async function writeFile(
  libos: StorageLibOS,
  path: string,
  content: Uint8Array | string,
  options: { readonly durability?: Durability } = {},
): Promise<void> {
  await using file = await openFile(libos, path, { ...options, write: true, create: true, truncate: true })
  await file.write(content)
}

let replacements = 0

/**
 * As `writeFile`, but atomic and durable: whoever opens the path meanwhile, or after a crash, finds all of the old bytes or all of
 * the new ones. Writes beside the file and renames; what a crash leaves beside it is named `.replacement-...`.
 */
export async function replaceFile(libos: StorageLibOS, path: string, content: Uint8Array | string): Promise<void> {
  const beside = `${path.slice(0, path.lastIndexOf('/'))}/.replacement-${Date.now().toString(36)}-${++replacements}`
  try {
    await using file = await openFile(libos, beside, { write: true, create: true, exclusive: true })
    await file.write(content)
    await file.sync()
    await retryAfterSync(libos, () => libos.rename(beside, path))
    await file.sync()
  } catch (error) {
    try {
      libos.unlink(beside)
    } catch {
      // It was never made, or has its new name.
    }
    throw error
  }
}

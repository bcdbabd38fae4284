import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where kernels and first file systems stay between runs: `PARAKERNEL_LAB_CACHE`, or the user's cache folder. */
export function cacheFolder(): string {
  const { PARAKERNEL_LAB_CACHE: own, XDG_CACHE_HOME: cache = join(homedir(), '.cache') } = process.env
  return own ?? join(cache, 'parakernel-lab')
}

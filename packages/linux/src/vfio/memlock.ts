import { readFileSync } from 'node:fs'

/** How much memory this process may lock, in bytes; Infinity when unlimited or unknown. */
export function memlockLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max locked memory\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** What to do when pinning `byteLength` bytes more was refused. */
export function memlockRemedy(byteLength: number): string {
  const limit = memlockLimit()
  if (!Number.isFinite(limit)) return `Free memory: ${byteLength} bytes could not be pinned`
  const wanted = Math.ceil((limit + byteLength) / 1024)
  return `Raise the locked-memory limit, now ${limit} bytes, by ${byteLength} (ulimit -l ${wanted}), or grant CAP_IPC_LOCK`
}

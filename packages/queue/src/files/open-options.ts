import { ParakernelError } from '@parakernel/hal'
import type { Durability, OpenOptions } from '../storage-libos.ts'
import { quotePath } from './path.ts'

export const DURABILITIES: readonly Durability[] = ['buffered', 'flushed', 'fua']

/** Options of an open with nothing left to guess. */
export type ResolvedOpenOptions = Required<OpenOptions>

/** @throws EINVAL for an option that needs another, and for a durability that there is not */
export function resolveOpenOptions(path: string, options: OpenOptions, durability: Durability): ResolvedOpenOptions {
  const { write = false, create = false, exclusive = false, truncate = false, append = false } = options
  if (exclusive && !create) throw misfit(path, 'exclusive', 'create')
  if (truncate && !write) throw misfit(path, 'truncate', 'write')
  if (append && !write) throw misfit(path, 'append', 'write')
  return {
    write,
    create,
    exclusive,
    truncate,
    append,
    durability: checkDurability(options.durability ?? durability, `open of ${quotePath(path)}`),
  }
}

/** @throws EINVAL */
export function checkDurability(durability: Durability, subject: string): Durability {
  if (DURABILITIES.includes(durability)) return durability
  throw new ParakernelError('EINVAL', `${JSON.stringify(durability)} is no durability`, {
    subject,
    remedy: `Use ${DURABILITIES.join(', ')}`,
  })
}

/** A position, length or offset in bytes. @throws EINVAL below `least` and above 2^53 - 1 */
export function checkBytes(value: number, what: string, least = 0): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new ParakernelError('EINVAL', `${value} is not a number of bytes from ${least} to 2^53 - 1`, { subject: what })
}

function misfit(path: string, option: string, needed: string): ParakernelError {
  return new ParakernelError('EINVAL', `the option ${option} needs ${needed}`, {
    subject: `open of ${quotePath(path)}`,
  })
}

import { type BlockCapabilities, type BlockRange, type FrameWindow, ParakernelError } from '@parakernel/hal'
import type { NamespaceIdentity } from '../spec/identify.ts'

/** @throws EINVAL for a queue that is not there, or blocks that are not in the namespace */
export function checkRange(
  queue: number,
  queues: number,
  { firstLba, blocks }: BlockRange,
  namespace: NamespaceIdentity,
  subject: string,
): void {
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject })
  if (!Number.isInteger(queue) || queue < 0 || queue >= queues) throw invalid(`there are queues 0 to ${queues - 1}`)
  const whole = Number.isSafeInteger(firstLba) && Number.isSafeInteger(blocks)
  if (whole && firstLba >= 0 && blocks >= 1 && firstLba + blocks <= namespace.blocks) return
  const where = `namespace ${namespace.namespace} of ${namespace.blocks}`
  throw invalid(`blocks ${firstLba} to ${firstLba + blocks} are not in ${where}`)
}

/** @throws ENOTSUP for memory of a kind that the device does not reach */
export function checkWindow({ region }: FrameWindow, { regions }: BlockCapabilities, subject: string): void {
  if (regions.includes(region.kind)) return
  throw new ParakernelError('ENOTSUP', `the device cannot reach ${region.kind} memory`, {
    subject,
    remedy: `Use memory of one of these kinds: ${regions.join(', ')}`,
  })
}

import { type BlockRange, ParakernelError } from '@parakernel/hal'

/** Whether a range lies in its namespace. @throws EINVAL */
export function checkRange(range: BlockRange, namespaces: ReadonlyMap<number, number>, subject: string): void {
  const { namespace, firstLba, blocks } = range
  const size = namespaces.get(namespace)
  if (size === undefined) {
    throw new ParakernelError('EINVAL', `there is no namespace ${namespace}`, {
      subject,
      remedy: `Choose ${[...namespaces.keys()].join(' or ')}`,
    })
  }
  if (Number.isSafeInteger(firstLba) && Number.isSafeInteger(blocks) && firstLba >= 0 && blocks > 0) {
    if (firstLba + blocks <= size) return
  }
  throw new ParakernelError('EINVAL', `blocks ${firstLba} to ${firstLba + blocks} are not within 0 to ${size}`, {
    subject,
    remedy: `Choose a range of the ${size} blocks`,
  })
}

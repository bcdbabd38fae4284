import { ParakernelError } from '@parakernel/hal'
import { DEFAULT_QUEUE_DEPTH, type IoUringOptions } from '../options.ts'

/** What the option specifications cannot say. */
export function checkOptions(options: IoUringOptions): void {
  const { path, queueDepth = DEFAULT_QUEUE_DEPTH, queues = 1, size, polledCompletions, direct } = options
  const invalid = (message: string, remedy: string) => new ParakernelError('EINVAL', message, { subject: path, remedy })
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new ParakernelError('EINVAL', 'the path is empty or holds a zero byte', {
      subject: 'path',
      remedy: 'Name a file or a block device',
    })
  }
  if (!Number.isInteger(queues) || queues < 1 || queues > 64)
    throw invalid(`${queues} queues are not 1 to 64`, 'Correct queues')
  if (!Number.isInteger(queueDepth) || queueDepth < 1 || queueDepth > 4096 || (queueDepth & (queueDepth - 1)) !== 0) {
    throw invalid(`queue depth ${queueDepth} is not a power of two from 1 to 4096`, 'Correct queueDepth')
  }
  if (size !== undefined && !(Number.isSafeInteger(size) && size > 0)) {
    throw invalid(`size ${size} is not a number of bytes`, 'Correct size')
  }
  if (polledCompletions && direct === 'never') {
    throw invalid(
      'completions can be polled for with direct I/O only',
      "Set direct to 'auto', or polledCompletions to false",
    )
  }
}

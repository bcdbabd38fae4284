import { ParakernelError } from '@parakernel/hal'
import { channelCounts, type LinkState } from '@parakernel/linux'
import { type AfXdpOptions, DEFAULT_RING_SIZE } from '../options.ts'

/** Queues and ring size for this interface, as asked for or by default. Throws EINVAL that says what is possible. */
export function checkOptions(options: AfXdpOptions, link: LinkState): { queues: number; ringSize: number } {
  const available = channelCounts(link.name)?.rx ?? link.rxQueues
  const { queues = available, ringSize = DEFAULT_RING_SIZE } = options
  const invalid = (message: string, remedy: string) =>
    new ParakernelError('EINVAL', message, { subject: link.name, remedy })
  if (!Number.isInteger(queues) || queues < 1 || queues > available) {
    throw invalid(
      `${queues} queues are asked for, the interface has ${available}`,
      available === 1 ? 'Set queues to 1' : `Set queues to a number from 1 to ${available}`,
    )
  }
  if (!Number.isInteger(ringSize) || ringSize < 64 || ringSize > 32_768 || (ringSize & (ringSize - 1)) !== 0) {
    throw invalid(`ring size ${ringSize} is not a power of two from 64 to 32768`, 'Set ringSize to 2048')
  }
  if (link.mac.length !== 6) throw invalid('is not an Ethernet interface', 'Use an interface with a MAC address')
  return { queues, ringSize }
}

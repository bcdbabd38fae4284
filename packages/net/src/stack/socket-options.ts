import { ParakernelError } from '@parakernel/hal'
import type { SocketOptions } from '@parakernel/queue'

const RANGES: Partial<Record<keyof SocketOptions, readonly [least: number, most: number]>> = {
  ttl: [1, 255],
  multicastTtl: [0, 255],
  receiveQueue: [1, 1_000_000],
}

/** Checks the value of a socket option. @throws ENOPROTOOPT for a name that is none, EINVAL for a value out of range */
export function socketOption<K extends keyof SocketOptions>(option: K, value: SocketOptions[K]): SocketOptions[K] {
  const range = RANGES[option]
  const subject = `socket option ${option}`
  if (range === undefined) {
    if (option !== 'broadcast' && option !== 'multicastLoop') {
      throw new ParakernelError('ENOPROTOOPT', 'there is no such option', { subject })
    }
    if (typeof value !== 'boolean') throw new ParakernelError('EINVAL', `${value} is not true or false`, { subject })
    return value
  }
  const [least, most] = range
  if (!(Number.isInteger(value) && (value as number) >= least && (value as number) <= most)) {
    throw new ParakernelError('EINVAL', `${value} is not an integer from ${least} to ${most}`, { subject })
  }
  return value
}

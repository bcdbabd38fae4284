import { ParakernelError } from '@parakernel/hal'
import type { SocketOptions } from '@parakernel/queue'

/** Least and greatest value of each option; undefined for those that are true or false. */
const RANGES: Readonly<Record<keyof SocketOptions, readonly [least: number, most: number] | undefined>> = {
  broadcast: undefined,
  ttl: [1, 255],
  multicastTtl: [0, 255],
  multicastLoop: undefined,
  receiveQueue: [1, 1_000_000],
}

/** @throws ENOPROTOOPT for a name that is none */
export function knownOption<K extends keyof SocketOptions>(option: K): K {
  if (Object.hasOwn(RANGES, option)) return option
  throw new ParakernelError('ENOPROTOOPT', 'there is no such option', {
    subject: `socket option ${option}`,
    remedy: `Options are ${Object.keys(RANGES).join(', ')}`,
  })
}

/** @throws ENOPROTOOPT for a name that is none, EINVAL for a value out of range */
export function checkedOption<K extends keyof SocketOptions>(option: K, value: SocketOptions[K]): SocketOptions[K] {
  const range = RANGES[knownOption(option)]
  const allowed =
    range === undefined
      ? typeof value === 'boolean'
      : Number.isInteger(value) && (value as number) >= range[0] && (value as number) <= range[1]
  if (allowed) return value
  const what = range === undefined ? 'true or false' : `an integer from ${range[0]} to ${range[1]}`
  throw new ParakernelError('EINVAL', `${value} is not ${what}`, { subject: `socket option ${option}` })
}

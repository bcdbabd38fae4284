import type { Socket } from 'node:dgram'
import { ParakernelError } from '@parakernel/hal'
import type { SocketOption, SocketOptions } from '@parakernel/queue'
import type { Family } from '../addresses.ts'

export type DatagramOptions = Pick<
  SocketOptions,
  'broadcast' | 'ttl' | 'multicastTtl' | 'multicastLoop' | 'receiveQueue' | 'ipv6Only'
>

export function defaultOptions(receiveQueue: number): DatagramOptions {
  return { broadcast: false, ttl: 64, multicastTtl: 1, multicastLoop: true, receiveQueue, ipv6Only: false }
}

const integer = (min: number, max: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max
const boolean = (value: unknown) => typeof value === 'boolean'

const VALID: Readonly<Record<keyof DatagramOptions, (value: unknown) => boolean>> = {
  broadcast: boolean,
  ttl: integer(1, 255),
  multicastTtl: integer(0, 255),
  multicastLoop: boolean,
  receiveQueue: integer(1, 2 ** 31 - 1),
  ipv6Only: boolean,
}

/** @throws ENOPROTOOPT for an option that datagram sockets do not have, EINVAL for a value that it cannot have */
export function checkOption(
  option: SocketOption,
  family: Family,
  ...value: [unknown?]
): asserts option is keyof DatagramOptions {
  if (!Object.hasOwn(VALID, option) || (option === 'ipv6Only' && family === 'ipv4')) {
    throw new ParakernelError('ENOPROTOOPT', 'datagram sockets do not have it', {
      subject: `socket option ${option}`,
      remedy: `Use one of ${Object.keys(VALID).join(', ')}`,
    })
  }
  if (value.length > 0 && !VALID[option as keyof DatagramOptions](value[0])) {
    throw new ParakernelError('EINVAL', `cannot be ${value[0]}`, { subject: `socket option ${option}` })
  }
}

/** Hands an option to a bound socket of Node's; `receiveQueue` is ours alone, `ipv6Only` was there before the bind. */
export function applyOption(socket: Socket, option: SocketOption, value: SocketOptions[typeof option]): void {
  if (option === 'broadcast') socket.setBroadcast(value as boolean)
  else if (option === 'ttl') socket.setTTL(value as number)
  else if (option === 'multicastTtl') socket.setMulticastTTL(value as number)
  else if (option === 'multicastLoop') socket.setMulticastLoopback(value as boolean)
}

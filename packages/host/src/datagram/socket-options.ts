import type { Socket } from 'node:dgram'
import { ParakernelError } from '@parakernel/hal'
import type { SocketOptions } from '@parakernel/queue'

export function defaultOptions(receiveQueue: number): SocketOptions {
  return { broadcast: false, ttl: 64, multicastTtl: 1, multicastLoop: true, receiveQueue }
}

const integer = (min: number, max: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max
const boolean = (value: unknown) => typeof value === 'boolean'

const VALID: Readonly<Record<keyof SocketOptions, (value: unknown) => boolean>> = {
  broadcast: boolean,
  ttl: integer(1, 255),
  multicastTtl: integer(0, 255),
  multicastLoop: boolean,
  receiveQueue: integer(1, 2 ** 31 - 1),
}

/** @throws ENOPROTOOPT for an option that does not exist, EINVAL for a value that it cannot have */
export function checkOption(option: keyof SocketOptions, ...value: [unknown?]): void {
  if (!Object.hasOwn(VALID, option)) {
    throw new ParakernelError('ENOPROTOOPT', 'there is no such option', {
      subject: `socket option ${option}`,
      remedy: `Use one of ${Object.keys(VALID).join(', ')}`,
    })
  }
  if (value.length > 0 && !VALID[option](value[0])) {
    throw new ParakernelError('EINVAL', `cannot be ${value[0]}`, { subject: `socket option ${option}` })
  }
}

/** Hands an option to a bound socket of Node's; `receiveQueue` is ours alone. */
export function applyOption(socket: Socket, option: keyof SocketOptions, value: SocketOptions[typeof option]): void {
  if (option === 'broadcast') socket.setBroadcast(value as boolean)
  else if (option === 'ttl') socket.setTTL(value as number)
  else if (option === 'multicastTtl') socket.setMulticastTTL(value as number)
  else if (option === 'multicastLoop') socket.setMulticastLoopback(value as boolean)
}

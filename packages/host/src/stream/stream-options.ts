import type { Socket } from 'node:net'
import { ParakernelError } from '@parakernel/hal'
import type { SocketOption, SocketOptions } from '@parakernel/queue'
import type { Family } from '../addresses.ts'

/** The options of stream sockets that Node can set, or that lie above it. */
export type StreamOptions = Pick<
  SocketOptions,
  'noDelay' | 'keepAlive' | 'keepAliveIdle' | 'linger' | 'receiveBuffer' | 'sendBuffer' | 'ipv6Only'
>

export function defaultStreamOptions(): StreamOptions {
  return {
    noDelay: false,
    keepAlive: false,
    keepAliveIdle: 7_200_000,
    linger: -1,
    receiveBuffer: 0,
    sendBuffer: 0,
    ipv6Only: false,
  }
}

const integer = (min: number) => (value: unknown) => Number.isInteger(value) && (value as number) >= min
const boolean = (value: unknown) => typeof value === 'boolean'

const VALID: Readonly<Record<keyof StreamOptions, (value: unknown) => boolean>> = {
  noDelay: boolean,
  keepAlive: boolean,
  keepAliveIdle: integer(1),
  linger: integer(-1),
  receiveBuffer: integer(0),
  sendBuffer: integer(0),
  ipv6Only: boolean,
}

/** Options of the contract that Node has no call for. */
const WITHOUT_A_CALL: ReadonlySet<string> = new Set<SocketOption>([
  'ttl',
  'keepAliveInterval',
  'keepAliveProbes',
  'userTimeout',
  'notSentLowWater',
  'maximumSegment',
  'congestionControl',
])

/** @throws ENOPROTOOPT for an option that stream sockets do not have here, EINVAL for a value that it cannot have */
export function checkStreamOption(
  option: SocketOption,
  family: Family,
  ...value: [unknown?]
): asserts option is keyof StreamOptions {
  const subject = `stream option ${option}`
  if (!Object.hasOwn(VALID, option) || (option === 'ipv6Only' && family === 'ipv4')) {
    const beyondNode = WITHOUT_A_CALL.has(option)
    throw new ParakernelError('ENOPROTOOPT', beyondNode ? 'node:net cannot set it' : 'stream sockets do not have it', {
      subject,
      remedy: beyondNode ? 'Leave it out, or use the libOS `net`' : `Use one of ${Object.keys(VALID).join(', ')}`,
    })
  }
  if (value.length > 0 && !VALID[option as keyof StreamOptions](value[0])) {
    throw new ParakernelError('EINVAL', `cannot be ${value[0]}`, { subject })
  }
}

/** Hands what is Node's to set to a connected socket; buffers and linger are ours. */
export function applyStreamOptions(socket: Socket, { noDelay, keepAlive, keepAliveIdle }: StreamOptions): void {
  socket.setNoDelay(noDelay)
  socket.setKeepAlive(keepAlive, keepAliveIdle)
}

import { ParakernelError, type SteeringRule } from '@parakernel/hal'
import { parseAddress } from '@parakernel/linux'

const PROTOCOLS = { tcp: 6, udp: 17 } as const

/** A steering rule, checked and as numbers. */
export interface ParsedRule {
  readonly protocol: number
  /** Inclusive; undefined for any port. */
  readonly ports: readonly [first: number, last: number] | undefined
  /** 4 or 16 bytes; undefined for any address. */
  readonly address: Uint8Array | undefined
  readonly queue: number
  readonly spread: number
}

/** Throws EINVAL for what no packet can match, or a queue out of range. */
export function parseRule(rule: SteeringRule, queues: number, subject: string): ParsedRule {
  const { protocol, destinationPort, destinationAddress, queue, spread = 1 } = rule
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject: `${subject} steering rule` })
  if (protocol !== 'udp' && protocol !== 'tcp') throw invalid(`protocol ${protocol} is not udp or tcp`)
  if (!Number.isInteger(spread) || spread < 1) throw invalid(`spread ${spread} is not a positive integer`)
  if (!Number.isInteger(queue) || queue < 0 || queue + spread > queues) {
    throw invalid(`queues ${queue} to ${queue + spread - 1} are not among the ${queues} of this device`)
  }
  const ports = typeof destinationPort === 'number' ? ([destinationPort, destinationPort] as const) : destinationPort
  if (ports !== undefined) {
    const [first, last] = ports
    if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last <= 0xffff)) {
      throw invalid(`ports ${first} to ${last} are not a range within 0 to 65535`)
    }
  }
  const address = destinationAddress === undefined ? undefined : parseAddress(destinationAddress)
  if (destinationAddress !== undefined && address === undefined) {
    throw invalid(`${JSON.stringify(destinationAddress)} is not an IPv4 or IPv6 address`)
  }
  return { protocol: PROTOCOLS[protocol], ports, address, queue, spread }
}

/** Type and code of an ICMP message in each family (RFC 792, RFC 1122, RFC 4443); undefined where it has none. */
export interface IcmpMessage {
  readonly 4: readonly [type: number, code: number] | undefined
  readonly 6: readonly [type: number, code: number] | undefined
  /** An error quotes the packet that it is about. */
  readonly error: boolean
}

export const ICMP_MESSAGES: Readonly<Record<string, IcmpMessage>> = {
  'net-unreachable': { 4: [3, 0], 6: [1, 0], error: true },
  'host-unreachable': { 4: [3, 1], 6: [1, 3], error: true },
  'protocol-unreachable': { 4: [3, 2], 6: [4, 1], error: true },
  'port-unreachable': { 4: [3, 3], 6: [1, 4], error: true },
  'too-big': { 4: [3, 4], 6: [2, 0], error: true },
  'source-route-failed': { 4: [3, 5], 6: undefined, error: true },
  prohibited: { 4: [3, 13], 6: [1, 1], error: true },
  'source-quench': { 4: [4, 0], 6: undefined, error: true },
  'time-exceeded': { 4: [11, 0], 6: [3, 0], error: true },
  'reassembly-timeout': { 4: [11, 1], 6: [3, 1], error: true },
  'parameter-problem': { 4: [12, 0], 6: [4, 0], error: true },
  echo: { 4: [8, 0], 6: [128, 0], error: false },
  'echo-reply': { 4: [0, 0], 6: [129, 0], error: false },
  timestamp: { 4: [13, 0], 6: undefined, error: false },
  'address-mask': { 4: [17, 0], 6: undefined, error: false },
}

/** The name of a type and code, or undefined. */
export function icmpName(family: 4 | 6, type: number, code: number): string | undefined {
  return Object.keys(ICMP_MESSAGES).find((name) => {
    const pair = ICMP_MESSAGES[name][family]
    return pair !== undefined && pair[0] === type && pair[1] === code
  })
}

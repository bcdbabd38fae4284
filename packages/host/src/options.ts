import type { OptionSpecs } from '@parakernel/hal'

export interface HostOptions {
  /**
   * The one IPv4 address of this libOS, which the host must have; a prefix length is taken and ignored. Default: all
   * of the host.
   */
  readonly address?: string
  /** The same in IPv6. Default: all IPv6 addresses of the host. */
  readonly ipv6Address?: string
  /** Datagrams that wait for a pop, the initial value of the socket option. Default 1,024. */
  readonly receiveQueue?: number
}

export const DEFAULT_RECEIVE_QUEUE = 1024

export const HOST_OPTIONS: OptionSpecs = {
  address: {
    type: 'string',
    description: 'The one IPv4 address of this libOS, which the host must have; all of the host when absent',
    form: { example: '127.0.0.1', pattern: /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/ },
  },
  ipv6Address: {
    type: 'string',
    description: 'The one IPv6 address of this libOS, which the host must have; all of the host when absent',
    form: { example: '::1', pattern: /^[\da-fA-F:.]+(\/\d{1,3})?$/ },
  },
  receiveQueue: {
    type: 'integer',
    description: 'Datagrams that wait for a pop; beyond it they are dropped and counted',
    default: DEFAULT_RECEIVE_QUEUE,
    min: 1,
    max: 1_048_576,
  },
}

declare module '@parakernel/queue' {
  interface NetworkLibOSOptions {
    host: HostOptions
  }
}

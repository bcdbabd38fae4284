import type { NetworkLibOS, SocketOption } from '@parakernel/queue'

/** Two instances that reach each other. Their loops are driven by somebody: a started driver, guest or owner. */
export interface NetworkLibosFixture {
  readonly a: NetworkLibOS
  readonly b: NetworkLibOS
  /** The address of each by which the other reaches it; one of its `addresses`. */
  readonly addressOfA: string
  readonly addressOfB: string
  /** The same in IPv6; needed unless the feature `ipv6` is missing. */
  readonly ipv6AddressOfA?: string
  readonly ipv6AddressOfB?: string
  /** Resolves when everything that was sent has arrived or is lost for good, on whatever clock the instances run. */
  settle(): Promise<void>
  /** Lets go of what the instances stood on: queues, devices, loops. Called after both were shut down. */
  close(): Promise<void>
}

/** What an implementation, or the network beneath it, may lack. Each needs a reason, which the skipped tests print. */
export type NetworkFeature =
  | 'broadcast'
  | 'multicast'
  | 'multicastLoopOff'
  | 'portUnreachable'
  | 'synchronousWait'
  /** Streams at all. */
  | 'streams'
  /** Addresses of IPv6, and IPv4 through sockets of IPv6. */
  | 'ipv6'
  /** Connections of a libOS with itself. */
  | 'ownAddress'
  /** `sendBuffer` and `receiveBuffer` are all the room that there is between a push and the pop of its bytes. */
  | 'exactBuffers'
  /** `asyncClose` knows when the peer has acknowledged the end. */
  | 'acknowledgedClose'

export interface NetworkLibosConformance {
  /** Heads the suite: `host`, `net on the emulated backend`. */
  readonly name: string
  /**
   * A fresh pair, called for every test. Both pools must be `DebugFramePool`s of at least 256 frames of 2 KiB, so that a
   * leak or a misuse is found.
   */
  setup(): Promise<NetworkLibosFixture>
  /** Why this machine cannot run any of it, or undefined. */
  readonly skip?: string | undefined
  /** Longest payload that passes between the two, in bytes; default 65,507, which is what IPv4 allows. */
  readonly largestDatagram?: number
  /** A broadcast address that reaches the other instance. */
  readonly broadcastAddress?: string
  readonly unsupported?: Readonly<Partial<Record<NetworkFeature, string>>>
  /** Options of the contract that stream sockets do not have here: they must be refused with ENOPROTOOPT. */
  readonly missingStreamOptions?: readonly SocketOption[]
}

import type { NetworkLibOS } from '@parakernel/queue'

/** Two instances that reach each other. Their loops are driven by somebody: a started driver, guest or owner. */
export interface NetworkLibosFixture {
  readonly a: NetworkLibOS
  readonly b: NetworkLibOS
  /** The address of each by which the other reaches it; one of its `addresses`. */
  readonly addressOfA: string
  readonly addressOfB: string
  /** Resolves when everything that was sent has arrived or is lost for good, on whatever clock the instances run. */
  settle(): Promise<void>
  /** Lets go of what the instances stood on: queues, devices, loops. Called after both were shut down. */
  close(): Promise<void>
}

/** What an implementation, or the network beneath it, may lack. Each needs a reason, which the skipped tests print. */
export type NetworkFeature = 'broadcast' | 'multicast' | 'multicastLoopOff' | 'portUnreachable' | 'synchronousWait'

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
}

import { defaultFlow } from '../language/parse-script.ts'
import type { FlowSettings, Script } from '../language/script.ts'
import type { Packet } from '../wire/packet.ts'

/** Where a connection of the same ports begins anew, its numbers start so much further on. */
const NEXT_CONNECTION = 0x0100_0000
/** Where nobody bound or connected a socket. */
export const DEFAULT_LOCAL_PORT = 8080

/** What makes the numbers of one flow relative: the first sequence number of each end, the subject's first time stamp. */
export class Flow {
  readonly remotePort: number
  localPort: number | undefined
  remoteIsn: number
  localIsn: number | undefined
  timestampBase: number | undefined
  lastTimestamp = 0
  /** The last packet in each direction, for quotations. */
  lastSent: Packet | undefined
  lastInjected: Uint8Array | undefined

  constructor({ local, remote, isn }: FlowSettings) {
    this.localPort = local
    this.remotePort = remote
    this.remoteIsn = isn
  }

  get ports(): { readonly local: number; readonly remote: number } {
    return { local: this.localPort ?? DEFAULT_LOCAL_PORT, remote: this.remotePort }
  }

  /** The remote end opens a new connection. */
  renewRemote(): void {
    this.remoteIsn = (this.remoteIsn + NEXT_CONNECTION) >>> 0
    this.localIsn = undefined
    this.timestampBase = undefined
  }

  /** Takes the first numbers of a connection from what the subject sent. */
  learn(packet: Packet): void {
    const { transport } = packet
    this.lastSent = packet
    if (transport.kind === 'udp') this.localPort ??= transport.sourcePort
    if (transport.kind !== 'tcp') return
    this.localPort ??= transport.sourcePort
    if (transport.flags.includes('S')) this.localIsn ??= transport.sequence
  }

  /** Of the subject's numbers. Before its first SYN they are as on the wire. */
  relativeLocal(sequence: number): number {
    return this.localIsn === undefined ? sequence : (sequence - this.localIsn) | 0
  }

  relativeRemote(sequence: number): number {
    return (sequence - this.remoteIsn) | 0
  }

  absoluteLocal(relative: number): number {
    return ((this.localIsn ?? 0) + relative) >>> 0
  }

  absoluteRemote(relative: number): number {
    return (this.remoteIsn + relative) >>> 0
  }
}

/** The flows of a script by number, made when they are first named. */
export class Flows {
  readonly #settings: Script['settings']['flows']
  readonly #flows = new Map<number, Flow>()

  constructor(script: Script) {
    this.#settings = script.settings.flows
  }

  of(number: number): Flow {
    let flow = this.#flows.get(number)
    if (flow === undefined) {
      flow = new Flow(this.#settings.get(number) ?? defaultFlow(number))
      this.#flows.set(number, flow)
    }
    return flow
  }

  /** Of those that were named. */
  byRemotePort(port: number): Flow | undefined {
    for (const flow of this.#flows.values()) if (flow.remotePort === port) return flow
    return undefined
  }
}

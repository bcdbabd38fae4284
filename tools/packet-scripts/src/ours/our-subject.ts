import { createNetwork, type EmulatedNic, type Network, type NicOptions } from '@parakernel/emulated'
import { attachNetQueue, createPlainWindow, DebugFramePool, type NetQueue, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { libos, type NetLibOS, type NetOptions } from '@parakernel/net'
import { type Completion, createQueueRuntime, type QueueRuntime, type QueueToken } from '@parakernel/queue'
import type { Family } from '../language/script.ts'
import {
  ADDRESSES,
  type Operation,
  type Outcome,
  remoteName,
  type Sent,
  type Subject,
  type SubjectSetup,
} from '../run/subject.ts'
import { Link, OUR_MAC } from './link.ts'
import { OurSocket, type OurSockets } from './our-socket.ts'

const MILLISECOND = 1e6
/** More than any connection's last timer: TIME-WAIT. */
const LONG_AFTER = 600e9

interface Followed {
  readonly token: QueueToken
  readonly operation: Operation
  readonly outcomeOf: (completion: Completion) => Outcome
}

/** Our libOS on the emulated device, on a virtual clock: every time is exact. */
export class OurSubject implements Subject, OurSockets {
  readonly kind = 'ours'
  /** The grain of the loop's timers. */
  readonly tolerance = 0.05 * MILLISECOND
  readonly drift = 0
  readonly family: Family
  readonly remote: string
  readonly libos: NetLibOS
  readonly #clock: VirtualClock
  readonly #loop: RunLoop
  readonly #network: Network
  readonly #nic: EmulatedNic
  readonly #queue: NetQueue
  readonly #pool: DebugFramePool
  readonly #runtime: QueueRuntime
  readonly #link: Link
  readonly #start: number
  #followed: Followed[] = []

  private constructor(packets: Family, sockets: Family, parts: Parts) {
    this.family = sockets
    this.remote = remoteName(packets, sockets)
    this.libos = parts.libos
    this.#clock = parts.clock
    this.#loop = parts.loop
    this.#network = parts.network
    this.#nic = parts.nic
    this.#queue = parts.queue
    this.#pool = parts.pool
    this.#runtime = parts.runtime
    this.#link = parts.link
    this.#start = this.#clock.now()
  }

  static async open(
    { family, sockets = family, mtu, options }: SubjectSetup,
    offloads: Offloads = {},
  ): Promise<OurSubject> {
    const clock = new VirtualClock()
    const loop = new RunLoop({ clock })
    const network = createNetwork({ clock })
    const nic = network.nic({ mac: OUR_MAC, mtu, queues: 1, ringSize: 1024, ...offloads })
    const window = createPlainWindow(1024)
    const pool = new DebugFramePool(window)
    const queue = await attachNetQueue(nic.grant(0, window), { pool, clock })
    const runtime = createQueueRuntime(loop)
    const link = new Link(network, clock, mtu)
    loop.add(link)
    const instance = await libos.create({ ...DEFAULTS, ...addressOptions(family, sockets), ...options } as NetOptions, {
      pool,
      clock,
      loop,
      runtime,
      queues: [queue],
      partition: 0,
      partitions: 1,
    })
    // Whatever a stack says of itself when it starts.
    loop.runUntil(() => false, clock.now() + 5000 * MILLISECOND)
    link.sent.length = 0
    return new OurSubject(family, sockets, { clock, loop, network, nic, queue, pool, runtime, link, libos: instance })
  }

  now(): number {
    return this.#clock.now() - this.#start
  }

  get sent(): Sent[] {
    return this.#link.sent
  }

  async advance(time: number, stop: () => boolean): Promise<void> {
    const { sent } = this
    const completed = () => this.#followed.some(({ token }) => !this.#runtime.isPending(token))
    let seen = sent.length
    this.#redeem()
    for (;;) {
      if (stop()) return
      const stirred = this.#loop.runUntil(() => sent.length > seen || completed(), this.#start + time)
      for (; seen < sent.length; seen++) sent[seen] = { ...sent[seen], at: sent[seen].at - this.#start }
      this.#redeem()
      if (!stirred) return
    }
  }

  inject(packet: Uint8Array): void {
    this.#link.inject(packet)
  }

  socket(type: 'stream' | 'datagram'): OurSocket {
    const qd = this.libos.socket(type, this.family === 4 ? 'ipv4' : 'ipv6')
    const socket = new OurSocket(this, qd)
    if (type === 'stream') socket.set('congestionControl', 'newreno')
    return socket
  }

  state(localPort: number, remotePort: number): string {
    const found = this.libos
      .sockets()
      .find(
        ({ local, peer, type }) => type === 'stream' && local.port === localPort && (peer?.port ?? 0) === remotePort,
      )
    return found?.state ?? 'closed'
  }

  /** Ends everything, and looks whether all frames came back. */
  async close(): Promise<readonly string[]> {
    await this.libos.shutdown()
    this.#loop.runUntil(() => false, this.#clock.now() + LONG_AFTER)
    this.#redeem()
    this.#queue.detach()
    const leaks = this.#pool.report()
    this.#link.detach()
    this.#loop.close()
    await this.#nic.close()
    await this.#network.close()
    return leaks === '' ? [] : [`frames were not given back: ${leaks}`]
  }

  follow(token: QueueToken, outcomeOf: (completion: Completion) => Outcome): Operation {
    const operation: Operation = { outcome: undefined, at: 0 }
    this.#followed.push({ token, operation, outcomeOf })
    return operation
  }

  #redeem(): void {
    this.#followed = this.#followed.filter(({ token, operation, outcomeOf }) => {
      if (this.#runtime.isPending(token)) return true
      operation.outcome = outcomeOf(this.#runtime.wait(token))
      operation.at = this.now()
      return false
    })
  }
}

interface Parts {
  readonly clock: VirtualClock
  readonly loop: RunLoop
  readonly network: Network
  readonly nic: EmulatedNic
  readonly queue: NetQueue
  readonly pool: DebugFramePool
  readonly runtime: QueueRuntime
  readonly link: Link
  readonly libos: NetLibOS
}

/** What the device does for the stack; scripts hold whatever that is. */
export type Offloads = Pick<NicOptions, 'checksumVerify' | 'checksumCompute' | 'transmitSegmentation' | 'maxChain'>

export const NO_OFFLOADS: Offloads = {
  checksumVerify: false,
  checksumCompute: false,
  transmitSegmentation: false,
  maxChain: 1,
}

const DEFAULTS = { seed: 1, addressCheck: 'none' }

function addressOptions(packets: Family, sockets: Family): Record<string, unknown> {
  const address = `${ADDRESSES[4].local}/24`
  if (packets === 4) return { address, ipv6: sockets === 4 ? 'off' : 'static', ndProbes: 0 }
  return { address, ipv6: 'static', addresses: [`${ADDRESSES[6].local}/64`], ndProbes: 0 }
}

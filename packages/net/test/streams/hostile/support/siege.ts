import type { QueueDescriptor, SocketInfo } from '@parakernel/queue'
import { expect } from 'vitest'
import type { NetLibOS, NetOptions } from '../../../../src/index.ts'
import { ACK, SYN } from '../../../../src/tcp/segment.ts'
import { arpPacket, CLIENT_MAC, ethernetFrame } from '../../../support/frames.ts'
import { type Machine, MILLISECOND } from '../../../support/machines.ts'
import { type Bench, counter, stackAndWire, teach } from '../../../support/wire.ts'
import { RawPeer, type SeenSegment, segmentsOf, type TcpFields, tcpFrame } from '../../support/raw-peer.ts'
import { echo, Innocent } from './innocent.ts'

/** Frames that the attacker sends before the others have their turn; less than the ring of the victim takes. */
const BURST = 32
const ECHO_PORT = 7
const LATENCY = 200_000

export interface SiegeOptions {
  readonly options?: Partial<NetOptions>
  readonly frames?: number
  readonly backlog?: number
}

/**
 * A server at 10.0.0.1 that listens at port 80 and echoes at port 7, an honest client at 10.0.0.3, whose progress is watched, and an
 * attacker at 10.0.0.2 who sends what it likes.
 */
export class Siege {
  readonly bench: Bench
  readonly client: Machine
  readonly listener: QueueDescriptor
  innocent!: Innocent
  /** Segments that the attacker was sent, or saw. */
  readonly answers: SeenSegment[] = []
  /** Rounds in a millisecond before the attack. */
  #calm = 0

  private constructor(bench: Bench, client: Machine, listener: QueueDescriptor) {
    this.bench = bench
    this.client = client
    this.listener = listener
  }

  static async create({ options, frames = 1024, backlog }: SiegeOptions = {}): Promise<Siege> {
    const nic = { latency: LATENCY, ringSize: 128 }
    const bench = await stackAndWire(options, { frames, deviceReserve: 160, debug: false, nic })
    const { machines, libos } = bench
    const client = await machines.add({
      nic,
      options: { address: '10.0.0.3/24', seed: 3, addressCheck: 'none', ipv6: 'off' },
    })
    const listener = libos.socket('stream')
    libos.bind(listener, { address: '0.0.0.0', port: 80 })
    libos.listen(listener, backlog)
    const echoing = libos.socket('stream')
    libos.bind(echoing, { address: '0.0.0.0', port: ECHO_PORT })
    libos.listen(echoing)
    echo(libos, echoing)
    const siege = new Siege(bench, client, listener)
    teach(bench)
    siege.innocent = siege.connectInnocent()
    siege.run(20)
    const before = siege.innocent.rounds
    siege.run(50)
    siege.#calm = (siege.innocent.rounds - before) / 50
    expect(siege.#calm).toBeGreaterThan(0.2)
    return siege
  }

  get libos(): NetLibOS {
    return this.bench.libos
  }

  connectInnocent(): Innocent {
    const { libos } = this.client
    const qd = libos.socket('stream')
    const token = libos.connect(qd, { address: '10.0.0.1', port: ECHO_PORT })
    expect(libos.runtime.wait(token, 60e9).kind).toBe('connect')
    return new Innocent(libos, qd)
  }

  /** Connects and sends the handshake's last segment. */
  open(port: number, options?: TcpFields, serverPort = 80): RawPeer {
    const peer = new RawPeer(this.bench, port, serverPort)
    const answer = this.ask({
      sourcePort: port,
      destinationPort: serverPort,
      sequence: peer.next,
      flags: SYN,
      mss: 1460,
      ...options,
    }).find(({ segment, destinationPort }) => destinationPort === port && (segment.flags & SYN) !== 0)
    if (answer === undefined) throw new Error('no answer to a SYN')
    peer.next++
    peer.received = (answer.segment.sequence + 1) | 0
    this.ask({ ...this.of(peer), flags: ACK })
    return peer
  }

  /** The fields that put a segment in its place in a connection. */
  of(peer: RawPeer): TcpFields {
    return {
      sourcePort: peer.port,
      destinationPort: peer.serverPort,
      sequence: peer.next,
      acknowledgment: peer.received,
    }
  }

  /** Sends frames, a few at a time; what came back. */
  attack(frames: Iterable<Uint8Array>): SeenSegment[] {
    const from = this.answers.length
    let count = 0
    for (const frame of frames) {
      this.bench.wire.send(frame)
      if (++count % BURST === 0) this.run(1)
    }
    this.run(1)
    return this.answers.slice(from)
  }

  ask(fields: TcpFields): SeenSegment[] {
    return this.attack([tcpFrame(fields)])
  }

  /** Lets virtual time pass; the attacker answers who asks for its link address. */
  run(milliseconds: number): void {
    const { machines, wire } = this.bench
    const step = milliseconds > 1000 ? 200 : 10
    for (let left = milliseconds; left > 0; left -= step) {
      machines.run(Math.min(left, step) * MILLISECOND)
      const seen = wire.receive()
      for (const { type, payload, from } of seen) {
        if (type !== 0x0806 || payload[7] !== 1) continue
        const last = payload[27]
        if (last === 1 || last === 3) continue
        const reply = arpPacket(
          2,
          { mac: CLIENT_MAC, address: `10.0.0.${last}` },
          { mac: from, address: `10.0.0.${payload[17]}` },
        )
        wire.send(ethernetFrame(reply, { type: 0x0806, to: from }))
      }
      this.answers.push(...segmentsOf(seen.filter(({ to }) => to === CLIENT_MAC)))
    }
  }

  /** Lets much time pass, in which the innocent rests. */
  rest(milliseconds: number): void {
    this.innocent.isResting = true
    this.run(milliseconds)
    this.innocent.goOn()
  }

  count(name: string): number {
    return counter(this.libos, name)
  }

  lines(state: SocketInfo['state'], port = 80): readonly SocketInfo[] {
    return this.libos.sockets().filter((line) => line.state === state && line.local.port === port)
  }

  line(qd = this.listener): SocketInfo {
    return this.libos.sockets().find((line) => line.qd === qd) as SocketInfo
  }

  /** Does something bad, and expects that the innocent did not notice: part of the rounds that it has when all is calm. */
  unharmed(attack: () => void, part = 0.7): void {
    const { machines } = this.bench
    const { innocent } = this
    const before = innocent.rounds
    const start = machines.now
    attack()
    if (machines.now - start < 50 * MILLISECOND) this.run(50)
    const rounds = (innocent.rounds - before) / ((machines.now - start) / MILLISECOND)
    expect(rounds / this.#calm).toBeGreaterThan(part)
    expect(innocent.wrong).toBe(0)
  }

  /** Shuts all down: every frame must be back. */
  async close(): Promise<void> {
    expect(this.innocent.wrong).toBe(0)
    const { machines, machine } = this.bench
    await machines.close()
    for (const { pool } of [machine, this.client]) expect(pool.frameCount - pool.available).toBe(0)
  }
}

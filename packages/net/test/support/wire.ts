import { backend, type NicOptions } from '@parakernel/emulated'
import { createPlainWindow, FramePool, formatMac, NetBurst, type NetQueue, VirtualClock } from '@parakernel/hal'
import { formatIpv4 } from '@parakernel/queue'
import type { NetLibOS, NetOptions } from '../../src/index.ts'
import { arpPacket, CLIENT_MAC, ethernetFrame, SERVER_MAC } from './frames.ts'
import { type Machine, type MachineOptions, Machines, MILLISECOND } from './machines.ts'

/** What a test says about a received frame. */
export interface Seen {
  readonly to: string
  readonly from: string
  readonly type: number
  /** What follows the Ethernet header. */
  readonly payload: Uint8Array
  readonly frame: Uint8Array
}

/** A NIC without a stack, from which a test sends frames byte by byte, and sees all that come. */
export class Wire {
  readonly machines: Machines
  readonly queue: NetQueue
  readonly #pool: FramePool
  readonly #out: NetBurst
  readonly #in: NetBurst

  constructor(machines: Machines, mac = CLIENT_MAC, nic: NicOptions = {}) {
    this.machines = machines
    const device = machines.network.nic({ mac, ringSize: 512, vlan: false, flowControl: true, ...nic })
    const window = createPlainWindow(2048)
    this.#pool = new FramePool(window)
    const context = { pool: this.#pool, clock: machines.clock }
    this.queue = backend.attach(device.grant(0, window), context)
    this.queue.setReceiveFilter({ promiscuous: true })
    this.#out = new NetBurst(1, this.queue.capabilities.columns)
    this.#in = new NetBurst(256, this.queue.capabilities.columns)
  }

  /** Sends a frame as it stands. */
  send(frame: Uint8Array, prepare?: (burst: NetBurst) => void): void {
    const index = this.#pool.allocate()
    this.#pool.bytes.set(frame, this.#pool.address(index) + this.#pool.headroom)
    this.#out.count = 0
    this.#out.push(index, this.#pool.headroom, frame.length)
    prepare?.(this.#out)
    if (this.queue.transmit(this.#out) !== 1 || this.#out.refused > 0)
      throw new Error('the wire did not take the frame')
  }

  /** Frames that have arrived since the last call. */
  receive(): Seen[] {
    const seen: Seen[] = []
    while (this.queue.receive(this.#in) > 0) {
      let bytes: number[] = []
      for (let i = 0; i < this.#in.count; i++) {
        const at = this.#pool.address(this.#in.frame[i]) + this.#in.offset[i]
        bytes.push(...this.#pool.bytes.subarray(at, at + this.#in.length[i]))
        this.#pool.release(this.#in.frame[i])
        if ((this.#in.flags[i] & 1) === 0) continue
        const frame = Uint8Array.from(bytes)
        bytes = []
        seen.push({
          to: formatMac(frame, 0),
          from: formatMac(frame, 6),
          type: (frame[12] << 8) | frame[13],
          payload: frame.subarray(14),
          frame,
        })
      }
    }
    return seen
  }

  /** Sends, lets everything happen that happens at once, and answers what came back. */
  exchange(frame: Uint8Array, duration = MILLISECOND): Seen[] {
    this.send(frame)
    this.machines.run(duration)
    return this.receive()
  }
}

export interface Bench {
  readonly machines: Machines
  readonly machine: Machine
  readonly libos: NetLibOS
  readonly wire: Wire
}

/** A libOS at 10.0.0.1 with MAC 02:...:01, and a wire with MAC 02:...:02, which plays 10.0.0.2. */
export async function stackAndWire(
  options: Partial<NetOptions> = {},
  setup: Partial<Omit<MachineOptions, 'options'>> & { wireNic?: NicOptions; topology?: 'switch' | 'direct' } = {},
): Promise<Bench> {
  const { wireNic, topology, ...rest } = setup
  const machines = new Machines(new VirtualClock(), topology)
  const machine = await machines.add({
    ...rest,
    nic: { mac: SERVER_MAC, ...setup.nic },
    options: { address: '10.0.0.1/24', seed: 1, addressCheck: 'none', ipv6: 'off', ...options },
  })
  const wire = new Wire(machines, CLIENT_MAC, wireNic)
  machines.run(MILLISECOND)
  wire.receive()
  return { machines, machine, libos: machine.libos, wire }
}

/** Makes the stack ask for 10.0.0.2, and answers: from now on, and for 30 s, it is a reachable neighbour. */
export function teach({ libos, machines, wire }: Bench): void {
  void libos.ping('10.0.0.2', { timeout: 1 })
  machines.run(MILLISECOND)
  wire.receive()
  const us = { mac: SERVER_MAC, address: '10.0.0.1' }
  wire.exchange(ethernetFrame(arpPacket(2, { mac: CLIENT_MAC, address: '10.0.0.2' }, us), { type: 0x0806 }))
}

/** A counter by its group and name. */
export function counter(libos: NetLibOS, name: string): number {
  const [group, key] = name.split('.')
  const value = libos.statistics()[group]?.[key]
  if (value === undefined) throw new Error(`there is no counter ${name}`)
  return value
}

/** Fields of an IPv4 packet, for comparison. */
export function readIpv4(packet: Uint8Array) {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const header = (packet[0] & 15) * 4
  return {
    total: view.getUint16(2),
    identifier: view.getUint16(4),
    fragment: view.getUint16(6),
    ttl: packet[8],
    protocol: packet[9],
    source: formatIpv4(view.getInt32(12)),
    destination: formatIpv4(view.getInt32(16)),
    payload: packet.slice(header, view.getUint16(2)),
  }
}

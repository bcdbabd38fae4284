import type { NicOptions } from '@parakernel/emulated'
import type { NetDevice } from '@parakernel/hal'
import type { Completion, QueueDescriptor, QueueToken } from '@parakernel/queue'
import { sgaFromBytes } from '@parakernel/queue'
import type { NetLibOS, NetOptions } from '../../../src/index.ts'
import { type Machine, Machines, MILLISECOND } from '../../support/machines.ts'

export interface PairOptions {
  readonly nic?: NicOptions
  readonly options?: Partial<NetOptions>
  readonly frames?: number
  readonly deviceReserve?: number
  readonly debug?: boolean
  readonly wrap?: (device: NetDevice, machines: Machines) => NetDevice
}

type Kind<K extends Completion['kind']> = Extract<Completion, { kind: K }>

/** Two libOSes on a virtual clock, driven by synchronous waits: exact and quick. */
export class StreamPair {
  readonly machines = new Machines()
  client!: Machine
  server!: Machine
  listener!: QueueDescriptor

  static async create({ nic, options, frames, deviceReserve, debug, wrap }: PairOptions = {}): Promise<StreamPair> {
    const pair = new StreamPair()
    const { machines } = pair
    const side = (host: number) =>
      machines.add({
        ...(nic !== undefined && { nic }),
        ...(frames !== undefined && { frames }),
        ...(deviceReserve !== undefined && { deviceReserve }),
        ...(debug !== undefined && { debug }),
        ...(wrap !== undefined && { wrap: (device: NetDevice) => wrap(device, machines) }),
        options: { address: `10.0.0.${host}/24`, seed: host, ipv6: 'off', ...options },
      })
    pair.client = await side(1)
    pair.server = await side(2)
    pair.listener = pair.b.socket('stream')
    pair.b.bind(pair.listener, { address: '10.0.0.2', port: 80 })
    pair.b.listen(pair.listener)
    return pair
  }

  get a(): NetLibOS {
    return this.client.libos
  }

  get b(): NetLibOS {
    return this.server.libos
  }

  wait<K extends Completion['kind']>(libos: NetLibOS, token: QueueToken, kind: K): Kind<K> {
    const completion = libos.runtime.wait(token, 600e9)
    if (completion.kind !== kind) throw new Error(`not ${kind}: ${JSON.stringify(completion)}`)
    return completion as Kind<K>
  }

  connect(prepare?: (client: QueueDescriptor) => void): { client: QueueDescriptor; server: QueueDescriptor } {
    const { a, b } = this
    const client = a.socket('stream')
    prepare?.(client)
    const accept = b.accept(this.listener)
    this.wait(a, a.connect(client, { address: '10.0.0.2', port: 80 }), 'connect')
    return { client, server: this.wait(b, accept, 'accept').accepted }
  }

  push(libos: NetLibOS, qd: QueueDescriptor, bytes: Uint8Array): QueueToken {
    const sga = sgaFromBytes(libos.pool, bytes)
    const token = libos.push(qd, sga)
    sga.free()
    return token
  }

  /** Pops once. */
  read(libos: NetLibOS, qd: QueueDescriptor, limit?: number): Uint8Array {
    const { sga } = this.wait(libos, libos.pop(qd, limit), 'pop')
    const bytes = sga.toBytes()
    sga.free()
    return bytes
  }

  state(libos: NetLibOS, qd: QueueDescriptor | undefined): string | undefined {
    return libos.sockets().find((line) => line.qd === qd && line.type === 'stream' && line.state !== 'listen')?.state
  }

  run(milliseconds: number): void {
    this.machines.run(milliseconds * MILLISECOND)
  }

  counter(libos: NetLibOS, name: string): number {
    const [group, key] = name.split('.')
    const value = libos.statistics()[group]?.[key]
    if (value === undefined) throw new Error(`there is no counter ${name}`)
    return value
  }

  /** Shuts both down; returns the frames that are missing. */
  async close(): Promise<number> {
    await this.machines.close()
    return [this.client, this.server].reduce((sum, { pool }) => sum + pool.frameCount - pool.available, 0)
  }
}

/** Bytes that differ from place to place. */
export function pattern(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Math.imul(from + i, 0x9e3779b1) >>> 24)
}

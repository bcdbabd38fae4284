import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { MonotonicClock } from '@parakernel/hal'
import type { Fixture, Wire } from '@parakernel/hal-conformance'
import { createVethPair, LinuxHost, PacketSocket, probeLab, steerPortsToQueues, type VethPair } from '@parakernel/linux'
import { type AfXdpOptions, backend } from '../src/index.ts'

const clock = new MonotonicClock()
/** Destination port `PORT_BASE + n` reaches queue n. */
export const PORT_BASE = 7000

/** Fixtures may live at the same time: each pair gets its own name. */
let made = 0

/** Why tests with a real interface cannot run here; undefined when they can. */
export function labMissing(): string | undefined {
  for (const availability of [probeLab(), backend.probe({ clock })]) {
    if (!availability.available) return `needs ${availability.missing}`
  }
  return undefined
}

/** Turns of the loop after which a packet that did not arrive is given up: the link was down. */
const SETTLE_ROUNDS = 200

/** A raw packet socket at the peer's end, whose flows choose the queue by port. */
function createWire(pair: VethPair): Wire & { settle(): Promise<void>; close(): void } {
  const socket = pair.inside(() => new PacketSocket(pair.peer))
  const counter = `/sys/class/net/${pair.interface}/statistics/rx_packets`
  const start = Number(readFileSync(counter, 'utf8'))
  const carried = () => (existsSync(counter) ? Number(readFileSync(counter, 'utf8')) - start : Number.POSITIVE_INFINITY)
  let sent = 0
  const steering = steerPortsToQueues(pair, { portBase: PORT_BASE })
  return {
    mac: pair.peerMac,
    address: '10.77.0.2',
    capacity: 4096,
    // A veth loses what its own ring of 256 cannot hold: `settle` waits, between bursts, until it has carried all.
    lossless: true,
    partialChecksums: true,
    send(packet) {
      if (!socket.send(packet)) throw new Error('the peer cannot send')
      sent++
    },
    receive: () => socket.receive(),
    // A link that is down takes nothing: what is accepted waits in the ring.
    stall: (stalled) => ours(pair, stalled ? 'down' : 'up'),
    flow: (queue) => ({ sourcePort: 7000, destinationPort: PORT_BASE + queue }),
    async settle() {
      for (let i = 0; i < SETTLE_ROUNDS && carried() < sent; i++) await new Promise((resolve) => setImmediate(resolve))
      sent = Math.min(sent, carried())
    },
    close() {
      steering.detach()
      socket.close()
    },
  }
}

/** An AF_XDP device on one end of a veth pair, and the other end in a namespace without a single address. */
/** `label` is one or two letters. */
export async function createVethFixture(
  label: string,
  queues: number,
  options: Partial<AfXdpOptions> = {},
): Promise<Fixture & { readonly pair: VethPair }> {
  const pair = createVethPair({ label: `${label}${(made++ % 1296).toString(36)}`, queues })
  const context = { clock, host: new LinuxHost() }
  const device = await backend.open({ interface: pair.interface, take: 'all', ringSize: 256, ...options }, context)
  const wire = createWire(pair)
  const link = (...words: string[]) => pair.run('ip', 'link', 'set', ...words)
  return {
    pair,
    device,
    address: '10.77.0.1',
    wire,
    context,
    hostModule: new URL('./host-module.ts', import.meta.url).href,
    advance: () => wire.settle(),
    setLink: (up) => void link(pair.peer, up ? 'up' : 'down'),
    setMtu: (mtu) => ours(pair, 'mtu', String(mtu)),
    setMac: (mac) => ours(pair, 'address', mac),
    remove: () => pair.remove(),
    async close() {
      await device.close()
      wire.close()
      pair.remove()
    },
  }
}

function ours(pair: VethPair, ...words: string[]): void {
  execFileSync('ip', ['link', 'set', pair.interface, ...words])
}

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { compose, type Machine } from '@parakernel/config'
import { createLabNamespace, createVethPair, probeLab } from '@parakernel/linux'

/** Why the lab cannot be built here, or undefined. */
export function missingForLab(...programs: string[]): string | undefined {
  const lab = probeLab()
  if (!lab.available) return `needs ${lab.missing}`
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0)
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`
}

export const OUR_ADDRESS = '10.112.0.1'
export const PEER_ADDRESS = '10.112.0.2'
export const OUR_IPV6_ADDRESS = 'fd00:112::1'
export const PEER_IPV6_ADDRESS = 'fd00:112::2'

/**
 * What lies between the two: our stack on AF_XDP at one end of a veth pair whose other end has no offloads, as on a cable; our
 * stack behind a TAP interface with its offloads; or, to test the tests, the kernel's stack at our end of the veth pair too.
 */
export type Wire = 'af-xdp' | 'tap' | 'host'

export interface LabOptions {
  readonly wire?: Wire
  /** Settings of the libOS and of the device beside those of the wire. */
  readonly network?: Readonly<Record<string, unknown>>
  /** Queues of the wire, for as many partitions; default 1. */
  readonly queues?: number
  /** Default: the UDP echo. */
  readonly partition?: URL
  readonly data?: unknown
  /** Settings of the peer's kernel, by the name of sysctl: those that a namespace has of its own. */
  readonly sysctls?: Readonly<Record<string, string>>
  /** How long a program of the peer's may take, in milliseconds; default 90,000. */
  readonly programTimeout?: number
  /** Settings beside those of the network: `frames`, say. */
  readonly config?: Readonly<Record<string, unknown>>
}

export interface Lab {
  readonly machine: Machine
  /** Runs a program inside the peer's namespace, with the loop of this process running; resolves with what it printed. */
  run(...program: string[]): Promise<{ readonly code: number; readonly output: string }>
  /** Starts a program there that serves until it is stopped, and waits until it has printed `ready`. */
  start(ready: string, ...program: string[]): Promise<Peer>
}

/** A program of the peer's that goes on. Ends with the lab at the latest. */
export interface Peer {
  readonly output: () => string
  stop(): Promise<void>
}

interface Ends {
  readonly network: Readonly<Record<string, unknown>>
  command(...program: string[]): [file: string, args: string[]]
  remove(): void
}

/** A program of the peer's that has not ended by then is killed, so that the lab can be taken down; in milliseconds. */
const PROGRAM_TIMEOUT = 90_000

/** Our end with a partition above it, a plain Linux on the other end; taken down at the end. */
export async function withLab(label: string, options: LabOptions, body: (lab: Lab) => Promise<void>): Promise<void> {
  const { wire = 'af-xdp', partition = new URL('./echo-partition.ts', import.meta.url), sysctls = {} } = options
  const { queues = 1 } = options
  const ends = wire === 'tap' ? tapEnds(label, queues) : vethEnds(label, wire, queues)
  const peers: Peer[] = []
  try {
    const settings = Object.entries(sysctls).map(([name, value]) => `${name}=${value}`)
    if (settings.length > 0) execFileSync(...ends.command('sysctl', '-q', '-w', ...settings))
    const config = { network: { ...ends.network, ...options.network }, partitions: queues, ...options.config }
    const machine = await compose(config as never, { partition, data: options.data })
    try {
      await body({
        machine,
        run: (...program) => finished(launch(ends, program), options.programTimeout ?? PROGRAM_TIMEOUT),
        start: async (ready, ...program) => {
          const peer = await serving(launch(ends, program), ready)
          peers.push(peer)
          return peer
        },
      })
    } finally {
      for (const peer of peers) await peer.stop()
      await machine.stop()
    }
  } finally {
    ends.remove()
  }
}

const PEER_ADDRESSES = [`${PEER_ADDRESS}/24`, `${PEER_IPV6_ADDRESS}/64`]
const OUR_ADDRESSES = { address: `${OUR_ADDRESS}/24`, addresses: [`${OUR_IPV6_ADDRESS}/64`], ipv6: 'static' }

function vethEnds(label: string, wire: 'af-xdp' | 'host', queues: number): Ends {
  const pair = createVethPair({ label, queues, peerAddresses: PEER_ADDRESSES })
  const ends = { command: pair.command, remove: pair.remove }
  if (wire === 'af-xdp') {
    return {
      network: { libos: 'net', backend: 'af-xdp', interface: pair.interface, queues, ...OUR_ADDRESSES },
      ...ends,
    }
  }
  execFileSync('ip', ['addr', 'add', `${OUR_ADDRESS}/24`, 'dev', pair.interface])
  execFileSync('ip', ['addr', 'add', `${OUR_IPV6_ADDRESS}/64`, 'dev', pair.interface, 'nodad'])
  return { network: { libos: 'host', address: OUR_ADDRESS, ipv6Address: OUR_IPV6_ADDRESS }, ...ends }
}

function tapEnds(label: string, queues: number): Ends {
  const { namespace, command, remove } = createLabNamespace({ label })
  const network = {
    libos: 'net',
    backend: 'tap',
    interface: 'eth0',
    namespace,
    queues,
    hostAddresses: PEER_ADDRESSES,
    ...OUR_ADDRESSES,
  }
  return { network, command, remove }
}

interface Launched {
  readonly child: ChildProcess
  readonly output: () => string
}

function launch(ends: Ends, program: readonly string[]): Launched {
  const [file, args] = ends.command(...program)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  return { child, output: () => output }
}

async function finished({ child, output }: Launched, timeout: number): Promise<{ code: number; output: string }> {
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  return { code: code ?? 1, output: signal === null ? output() : `${output()}\nended by ${signal}` }
}

async function serving({ child, output }: Launched, ready: string): Promise<Peer> {
  const ended = once(child, 'close')
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  for (let i = 0; i < 1500 && !output().includes(ready); i++) {
    if (child.exitCode !== null) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  if (!output().includes(ready)) {
    await stop()
    throw new Error(`the peer did not say ${JSON.stringify(ready)}: ${output()}`)
  }
  return { output, stop }
}

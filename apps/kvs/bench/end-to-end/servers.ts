import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVethPair, type VethPair } from '@parakernel/linux'
import type { ClientPlan } from './client.ts'

export type ServerKind = ClientPlan['server']

const ADDRESS = '10.113.0.1'
const PORTS: Readonly<Record<ServerKind, number>> = {
  ours: 9000,
  'memcached-udp': 11_311,
  'memcached-tcp': 11_312,
  redis: 16_379,
}
/** Hybrid, with a short spin: a burst that follows at once finds the server awake, and between bursts it costs nothing. */
const WAIT = ['--wait.kind', 'hybrid', '--wait.spin', '5000']
const MEMCACHED = ['memcached', '-u', 'nobody', '-l', ADDRESS, '-t', '1', '-m', '128']

/** The program that a server is, if it is not ours. */
export const PROGRAM: Readonly<Record<ServerKind, string | undefined>> = {
  ours: undefined,
  'memcached-udp': 'memcached',
  'memcached-tcp': 'memcached',
  redis: 'redis-server',
}

/** A cable with a server on this end and an address on the other, inside a namespace. */
export class Bed {
  readonly kind: ServerKind
  readonly pair: VethPair
  readonly address = ADDRESS
  readonly port: number
  readonly #running = new Set<ChildProcess>()

  constructor(kind: ServerKind) {
    this.kind = kind
    this.port = PORTS[kind]
    this.pair = createVethPair({ label: 'e2e', peerAddresses: ['10.113.0.2/24'] })
    // Ours has the address to itself: the kernel must not answer for it.
    if (kind !== 'ours') execFileSync('ip', ['addr', 'add', `${ADDRESS}/24`, 'dev', this.pair.interface])
    process.on('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL')
    })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  }

  /** On the first CPU. The second one is the client's. */
  async start(): Promise<ChildProcess> {
    const child = spawn('taskset', ['-c', '0', ...this.#command()], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.resume()
    this.#running.add(child)
    await sleep(this.kind === 'ours' ? 1200 : 400)
    if (child.exitCode !== null) throw new Error(`${this.kind} did not start (exit code ${child.exitCode})`)
    return child
  }

  client(plan: ClientPlan): ChildProcess {
    const program = new URL('./client.ts', import.meta.url).pathname
    const words = ['-c', '1', process.execPath, '--conditions=source', program, JSON.stringify(plan)]
    const [file, args] = this.pair.command('taskset', ...words)
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#running.add(child)
    return child
  }

  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      const over = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      const forced = setTimeout(() => child.kill('SIGKILL'), 3000)
      await over
      clearTimeout(forced)
    }
    this.#running.delete(child)
  }

  #command(): string[] {
    const { kind, port } = this
    const ports = (udp: number, tcp: number) => ['-U', String(udp), '-p', String(tcp)]
    if (kind === 'memcached-udp') return [...MEMCACHED, ...ports(port, PORTS['memcached-tcp'])]
    if (kind === 'memcached-tcp') return [...MEMCACHED, ...ports(0, port)]
    if (kind === 'redis') {
      const settings = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no']
      return ['redis-server', '--bind', ADDRESS, '--port', String(port), ...settings]
    }
    const main = new URL('../../src/main.ts', import.meta.url).pathname
    const network = ['--libos', 'net', '--backend', 'af-xdp', '--interface', this.pair.interface]
    return [process.execPath, '--conditions=source', main, 'serve', ...network, '--address', `${ADDRESS}/24`, ...WAIT]
  }
}

import { closeSync } from 'node:fs'
import { calls, foreign } from '@parakernel/linux'
import type { Family } from '../language/script.ts'
import { type Operation, type Outcome, remoteName, type Sent, type Subject, type SubjectSetup } from '../run/subject.ts'
import { ofTheLink } from '../wire/link-noise.ts'
import { KernelSocket, type KernelSockets } from './kernel-socket.ts'
import { Namespace, openTun, writeSysctl } from './namespace.ts'
import { connectionState } from './socket-states.ts'
import { EAGAIN, must } from './system-calls.ts'

const MILLISECOND = 1e6
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK_CLOEXEC = 0o2004000
/** What is remembered of a peer would make one connection's numbers depend on another's. */
const SYSCTLS = [['net.ipv4.tcp_no_metrics_save', '1']] as const

/** The kernel's stack in a namespace of its own behind a TUN device, in real time. */
export class LinuxSubject implements Subject, KernelSockets {
  readonly kind = 'linux'
  /** Three of the kernel's ticks of 4 ms, and what the scheduler takes. */
  readonly tolerance = 15 * MILLISECOND
  /** Its timer wheel rounds up by an eighth at most. */
  readonly drift = 0.13
  readonly sent: Sent[] = []
  readonly family: Family
  readonly remote: string
  readonly #namespace = new Namespace()
  readonly #tun: number
  readonly #buffer = new Uint8Array(65_536)
  /** Counted from the first look at the clock, so that subjects can be made ahead. */
  #start = Number.NaN
  readonly #sockets = new Set<KernelSocket>()
  #attempts: { readonly attempt: () => Outcome | undefined; readonly operation: Operation }[] = []

  constructor({ family, sockets = family, mtu, sysctls }: SubjectSetup) {
    this.family = sockets
    this.remote = remoteName(family, sockets)
    this.#tun = this.#namespace.inside(() => {
      const tun = openTun(mtu)
      for (const [name, value] of [...SYSCTLS, ...sysctls]) writeSysctl(name, value)
      return tun
    })
  }

  now(): number {
    if (Number.isNaN(this.#start)) this.#start = performance.now()
    return (performance.now() - this.#start) * MILLISECOND
  }

  async advance(time: number, stop: () => boolean): Promise<void> {
    for (;;) {
      this.#look()
      const left = time - this.now()
      if (stop() || left <= 0) return
      // The thread is shared with other scripts that run at the same time.
      if (left > 1.2 * MILLISECOND) await new Promise((resolve) => setTimeout(resolve, 1))
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }

  inject(packet: Uint8Array): void {
    must(calls().write(this.#tun, packet, packet.length), 'write to the TUN device')
    this.#look()
  }

  socket(type: 'stream' | 'datagram'): KernelSocket {
    const kind = (type === 'stream' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK_CLOEXEC
    const socket = this.adopt(this.inside(() => must(calls().socket(this.family === 4 ? 2 : 10, kind, 0), 'socket')))
    if (type === 'stream') socket.initialize()
    return socket
  }

  state(localPort: number, remotePort: number): string {
    return this.inside(() => connectionState(localPort, remotePort))
  }

  async close(): Promise<readonly string[]> {
    for (const socket of [...this.#sockets]) socket.abort()
    return []
  }

  /** Takes the device and the namespace down: tens of milliseconds, in which nothing else runs. */
  dispose(): void {
    closeSync(this.#tun)
    this.#namespace.close()
  }

  // What its sockets need of it.

  inside<T>(body: () => T): T {
    return this.#namespace.inside(body)
  }

  retry(attempt: () => Outcome | undefined): Operation {
    const operation: Operation = { outcome: undefined, at: 0 }
    this.#attempts.push({ attempt, operation })
    this.#look()
    return operation
  }

  adopt(descriptor: number): KernelSocket {
    const socket = new KernelSocket(this, descriptor)
    this.#sockets.add(socket)
    return socket
  }

  closed(socket: KernelSocket): void {
    this.#sockets.delete(socket)
  }

  /** Takes what came out, and tries what is pending. */
  #look(): void {
    for (;;) {
      const length = Number(calls().read(this.#tun, this.#buffer, this.#buffer.length))
      if (length < 0) {
        if (foreign().errno() !== EAGAIN) must(length, 'read from the TUN device')
        break
      }
      const bytes = this.#buffer.slice(0, length)
      if (!ofTheLink(bytes)) this.sent.push({ bytes, at: this.now() })
    }
    this.#attempts = this.#attempts.filter(({ attempt, operation }) => {
      const outcome = attempt()
      if (outcome === undefined) return true
      operation.outcome = outcome
      operation.at = this.now()
      return false
    })
  }
}

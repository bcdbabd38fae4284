import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { type Host, type MemoryRegion, MonotonicClock, ParakernelError, WakeWord } from '@parakernel/hal'
import type { LeasedGrant } from '../lease/resource.ts'
import {
  type PartitionExit,
  type PartitionHandle,
  type PartitionStatistics,
  STOP_TIMEOUT,
} from '../partition/handle.ts'
import { fromPlainError, toPlainError } from '../partition/messages.ts'
import { answerPeer, type PeerRequest, type Peers } from '../partition/peer-calls.ts'
import { RemoteLife } from '../partition/remote-life.ts'
import { FramedChannel } from './channel.ts'
import { checkProcessPlan, launchArguments, type ProcessPlan, startMessage } from './process-plan.ts'
import { checkFromProcess, type ToProcess } from './protocol.ts'
import { StatusPage } from './status-page.ts'

/** Milliseconds that a crashed partition's process has to end. */
const CRASH_GRACE = 1000
/** Characters of what it printed to its standard error, for the error of its end. */
const LAST_WORDS = 2000

export interface SpawnProcessOptions {
  /** The control plane's: makes what both share, and wakes the process. */
  readonly host: Host
  /** As of `spawnPartition`. */
  readonly execArgv?: readonly string[]
  /** Whom the partition's code can call: all methods of these, whatever it is. */
  readonly peers?: Peers
}

/** How a process ended: one of them is null. */
export interface ExitStatus {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ProcessHandle extends PartitionHandle {
  readonly pid: number | undefined
  /** Once it has ended. */
  readonly exitStatus: ExitStatus | undefined
  /** Milliseconds since its loop last turned, by its own word: about 100 in one that lives. Infinity before the first turn. */
  silence(): number
  /**
   * Takes all that it has by force: revokes its leases, so that nothing arrives any more, and kills it. Its leases are closed when it
   * is gone.
   */
  kill(): Promise<PartitionExit>
}

/**
 * Starts a partition in a process of its own, without rights: another user, no groups, no capabilities and no way to any, an empty
 * environment, no descriptors but its own, and it ends with the thread that called this. What it holds are leases (`leaseNetQueue`),
 * each of which names the kernel object that keeps it within what it was given. Nothing that it says or writes is believed further than
 * that it is its own.
 * @throws ENOTSUP for rings, and for a region that cannot be shared; EINVAL
 */
export function spawnProcess(plan: ProcessPlan, options: SpawnProcessOptions): ProcessHandle {
  checkProcessPlan(plan)
  return new ProcessPartition(plan, options)
}

class ProcessPartition implements ProcessHandle {
  readonly name: string
  readonly index: number
  readonly ready: Promise<void>
  readonly exited: Promise<PartitionExit>
  exitStatus: ExitStatus | undefined
  readonly #life: RemoteLife
  readonly #plan: ProcessPlan
  readonly #host: Host
  readonly #peers: Peers | undefined
  readonly #child: ChildProcess
  readonly #channel: FramedChannel
  readonly #wake: number
  readonly #region: MemoryRegion
  readonly #status: StatusPage
  readonly #clock = new MonotonicClock()
  #stopping = false
  #lastWords = ''

  constructor(plan: ProcessPlan, { host, execArgv = process.execArgv, peers }: SpawnProcessOptions) {
    this.name = plan.name
    this.index = plan.index
    this.#life = new RemoteLife(plan.name)
    this.ready = this.#life.ready
    this.exited = this.#life.exited
    this.#plan = plan
    this.#host = host
    this.#peers = peers
    this.#region = host.createRegion(1, `${plan.name}-status`)
    this.#status = new StatusPage(this.#region.buffer)
    this.#wake = host.createEventFd()
    wakeByDescriptor(plan.window.wake, this.#wake)
    // Built, this module is a chunk beside process.js.
    const entry = new URL(import.meta.url.endsWith('.ts') ? '../process.ts' : './process.js', import.meta.url)
    const leased = plan.leases.flatMap(({ descriptors }) => [...descriptors])
    this.#child = spawn(
      process.execPath,
      [...execArgv, entry.pathname, 'launch', JSON.stringify(launchArguments(plan))],
      {
        stdio: ['ignore', 'pipe', 'pipe', 'pipe', this.#wake, this.#region.fd, plan.window.region.fd, ...leased],
        cwd: '/',
        // Out of reach of the terminal, and of the signals that it sends: the control plane stops its partitions in order.
        detached: true,
      },
    )
    this.#child.on('error', (error) => this.#crash(error))
    // When its output has been read as well.
    this.#child.on('close', (code, signal) => this.#gone(code, signal))
    this.#child.stdout?.pipe(process.stdout, { end: false })
    this.#child.stderr?.on('data', (text) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS)
    })
    this.#channel = new FramedChannel(
      this.#child.stdio[3] as Duplex,
      `partition ${plan.name}`,
      (message) => this.#received(message),
      (error) => (error === undefined ? this.#endSoon() : this.#end(error)),
    )
    try {
      this.#send(startMessage(plan))
    } catch (error) {
      this.#crash(error as Error)
    }
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#life.ask((id) => this.#send({ kind: 'call', id, method, args }))
  }

  statistics(): PartitionStatistics {
    const { leases } = this.#plan
    return {
      ...this.#status.statistics(),
      queues: leases.flatMap((lease) => (lease.kind === 'net' ? [lease.statistics()] : [])),
      blocks: leases.flatMap((lease) => (lease.kind === 'block' ? [lease.statistics()] : [])),
    }
  }

  grant(leased: LeasedGrant): Promise<void> {
    return Promise.reject(
      new ParakernelError('ENOTSUP', `a process takes no ${leased.kind} while it runs`, {
        subject: `partition ${this.name}`,
        remedy: 'Start it again with one more lease in its plan',
      }),
    )
  }

  /** It has its leases by descriptors, which end with it: there is nothing that it could give back. */
  async revoke(): Promise<'take'> {
    return 'take'
  }

  async taken(): Promise<number> {
    return 0
  }

  silence(): number {
    const { heartbeat } = this.#status
    return heartbeat === 0 ? Infinity : Math.max(0, this.#clock.now() - heartbeat) / 1e6
  }

  async stop(timeout = STOP_TIMEOUT): Promise<PartitionExit> {
    if (this.#stopping || this.#life.exit !== undefined) return this.exited
    this.#stopping = true
    const late = () => {
      this.#end(
        new ParakernelError('ETIMEDOUT', `did not stop within ${timeout} ms`, { subject: `partition ${this.name}` }),
      )
    }
    const timer = setTimeout(late, timeout)
    try {
      await this.ready
      this.#send({ kind: 'stop' })
    } catch {
      // One that fails to start ends by itself; one that does not read is ended.
    }
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }

  kill(): Promise<PartitionExit> {
    if (this.#life.exit === undefined) {
      this.#end(new ParakernelError('ECANCELED', 'was ended by force', { subject: `partition ${this.name}` }))
    }
    return this.exited
  }

  #send(message: ToProcess): void {
    this.#channel.send(message)
    // It may be asleep in its loop, where no message reaches it.
    this.#host.writeEventFd(this.#wake)
  }

  #received(value: unknown): void {
    const message = checkFromProcess(value)
    if (message === undefined) {
      this.#end(new ParakernelError('EPROTO', 'sent what is no message', { subject: `partition ${this.name}` }))
    } else if (message.kind === 'ready') this.#life.begun()
    else if (message.kind === 'stopped') {
      this.#life.stopped()
      this.#endSoon()
    } else if (message.kind === 'crashed') this.#crash(fromPlainError(message.error))
    else if (message.kind === 'peer-call') void this.#answer(message)
    else this.#life.answered(message)
  }

  #crash(error: Error): void {
    this.#life.crashed(error)
    if (this.#child.pid === undefined) this.#gone(null, null)
    else this.#endSoon()
  }

  #end(error: Error): void {
    this.#life.crashed(error)
    for (const lease of this.#plan.leases) lease.revoke?.()
    this.#child.kill('SIGKILL')
  }

  async #answer(request: PeerRequest): Promise<void> {
    const answer = await answerPeer(request, this.#peers)
    if (this.#life.exit !== undefined) return
    try {
      this.#send(answer)
    } catch (error) {
      // A result that cannot be cloned, or a process that does not read, which then finds no answer in time.
      const threw = { kind: 'peer-threw', id: request.id, error: toPlainError(error) } as const
      if ((error as { code?: unknown }).code !== 'ENOBUFS') this.#send(threw)
    }
  }

  /** A process that ends says so, or closes its channel, a moment before it is gone; one that lives on is ended. */
  #endSoon(): void {
    setTimeout(() => this.#child.kill('SIGKILL'), CRASH_GRACE).unref()
  }

  #gone(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#life.exit !== undefined) return
    this.exitStatus = { code, signal }
    const words = this.#lastWords.trim()
    const how = signal === null ? `with code ${code}` : `by ${signal}`
    this.#life.gone(`its process ended ${how}${words && `, and said: ${words}`}`)
    this.#channel.close()
    for (const lease of this.#plan.leases) lease.close()
    this.#host.closeFd(this.#wake)
    this.#host.closeRegion(this.#region)
    new WakeWord(this.#plan.window.wake).eventFd = -1
  }
}

/** Whoever wakes the holder of the window on this side writes the eventfd: the other side's words cannot be seen from here. */
function wakeByDescriptor(buffer: SharedArrayBuffer, fd: number): void {
  const word = new WakeWord(buffer)
  word.eventFd = fd
  word.announce()
}

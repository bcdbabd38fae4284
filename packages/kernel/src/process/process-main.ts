import { Socket } from 'node:net'
import {
  type BackendContext,
  type BlockQueueGrant,
  createFrameWindow,
  type Host,
  MonotonicClock,
  type NetQueueGrant,
  ParakernelError,
  type PersistentGrant,
  type ProcessLeaseModule,
} from '@parakernel/hal'
import type { PartitionPlan, Pollable } from '../contracts.ts'
import { RunLoop } from '../loop/run-loop.ts'
import { toPlainError } from '../partition/messages.ts'
import { PeerCalls } from '../partition/peer-calls.ts'
import { RunningPartition } from '../partition/running-partition.ts'
import { FramedChannel } from './channel.ts'
import {
  CHANNEL_FD,
  FIRST_LEASE_FD,
  type FromProcess,
  type LaunchArguments,
  REGION_FD,
  STATUS_FD,
  type StartMessage,
  type ToProcess,
  WAKE_FD,
} from './protocol.ts'
import { HEARTBEAT_PERIOD, StatusPage } from './status-page.ts'

/** Exit status of a process that said why it ends. */
const FAILED = 1

/**
 * What a process of `spawnProcess` runs, twice: first with the control plane's rights, to give them up, and then anew without them.
 * Nothing of the partition's is loaded before.
 */
export async function partitionProcessMain(stage: string, text: string): Promise<void> {
  const launch = JSON.parse(text) as LaunchArguments
  const { host } = (await import(launch.hostModule)) as { host: Host }
  if (stage === 'launch') becomePartition(host, launch, text)
  host.confirmConfinement?.(launch)
  new PartitionProcess(host, `partition ${launch.name}`)
}

function becomePartition(host: Host, { descriptors, user, parent, environment }: LaunchArguments, text: string): never {
  if (host.becomeConfined === undefined) {
    throw new ParakernelError('ENOTSUP', 'cannot give up rights', {
      subject: `host ${host.name}`,
      remedy: 'Run the partition in a worker, or name a host module that can',
    })
  }
  return host.becomeConfined({
    file: process.execPath,
    args: [...process.execArgv, process.argv[1], 'run', text],
    environment,
    descriptors,
    ...(user !== undefined && { user }),
    parent,
  })
}

/** A partition in its own process: as `partitionWorkerMain`, with a channel for the port and devices for the grants. */
class PartitionProcess {
  readonly #host: Host
  readonly #subject: string
  readonly #channel: FramedChannel
  #partition: RunningPartition | undefined
  #loop: RunLoop | undefined
  #peers: PeerCalls | undefined

  constructor(host: Host, subject: string) {
    this.#host = host
    this.#subject = subject
    this.#channel = new FramedChannel(
      new Socket({ fd: CHANNEL_FD, readable: true, writable: true }),
      'control plane',
      (message) => void this.#received(message as ToProcess),
      // Without a control plane there is nothing to live for.
      () => process.exit(FAILED),
    )
    process.once('uncaughtException', (error) => void this.#fail(error))
  }

  async #received(message: ToProcess): Promise<void> {
    if (message.kind === 'start') await this.#start(message)
    else if (message.kind === 'stop') await this.#stop()
    else if (message.kind !== 'call') this.#peers?.answered(message)
    else await this.#answer(message)
  }

  async #start(message: StartMessage): Promise<void> {
    const host = this.#host
    try {
      if (message.plan.cpu !== undefined) host.pinThread(message.plan.cpu)
      const status = new StatusPage(host.mapRegion(STATUS_FD, 1).buffer)
      const plan = await openLeases(message, host)
      const loop = new RunLoop({ wait: plan.wait, wake: plan.window.wake, counters: status.buffer, host })
      this.#loop = loop
      this.#peers = new PeerCalls(plan.partitions, loop.clock, loop.timers, (request) => this.#send(request))
      this.#partition = new RunningPartition(plan, loop, host, this.#peers)
      loop.add(wakeFromOutside(host))
      const beat = (now: number) => {
        status.heartbeat = now
      }
      loop.timers.every(HEARTBEAT_PERIOD, beat, loop.clock.now())
      loop.start('owner')
      // The module may wait for what only the loop can bring, and for promises of its own.
      const started = loop.dependOnNode()
      await this.#partition.start()
      started()
      this.#send({ kind: 'ready' })
    } catch (error) {
      await this.#fail(error)
    }
  }

  async #answer({ id, method, args }: Extract<ToProcess, { kind: 'call' }>): Promise<void> {
    try {
      if (this.#partition === undefined)
        throw new ParakernelError('EAGAIN', 'has not started', { subject: this.#subject })
      this.#send({ kind: 'returned', id, value: await this.#partition.call(method, args) })
    } catch (error) {
      // A result that cannot be cloned ends here too.
      this.#send({ kind: 'threw', id, error: toPlainError(error) })
    }
  }

  /** The loop runs on while the module stops, so that what it still has to send is sent. */
  async #stop(): Promise<void> {
    try {
      await this.#partition?.stop()
      await this.#end({ kind: 'stopped' }, 0)
    } catch (error) {
      await this.#fail(error)
    }
  }

  #fail(error: unknown): Promise<void> {
    return this.#end({ kind: 'crashed', error: toPlainError(error) }, FAILED)
  }

  /** Whatever of the module's is still alive ends with the process. */
  async #end(message: FromProcess, status: number): Promise<void> {
    this.#loop?.close()
    this.#send(message)
    await this.#channel.finish()
    process.exit(status)
  }

  #send(message: FromProcess): void {
    this.#channel.send(message)
  }
}

/** The control plane writes an eventfd when it has sent a message, for Node's own loop to read: `arm` sees it, and finds no work. */
function wakeFromOutside(host: Host): Pollable {
  return {
    label: 'control plane',
    wake: { kind: 'descriptor', fd: WAKE_FD },
    poll: () => 0,
    arm: () => host.readEventFd(WAKE_FD),
  }
}

/** Opens the leases as devices, and grants all of them to this process's one partition. */
async function openLeases(message: StartMessage, host: Host): Promise<PartitionPlan> {
  const region = host.mapRegion(REGION_FD, message.regionBytes)
  const window = createFrameWindow({ ...message.window, region })
  const context: BackendContext = { clock: new MonotonicClock(), host, warn: (text) => process.emitWarning(text) }
  const grants: NetQueueGrant[] = []
  const blockGrants: BlockQueueGrant[] = []
  const persistentGrants: PersistentGrant[] = []
  let first = FIRST_LEASE_FD
  for (const { kind, module, ticket, descriptors } of message.leases) {
    const inherited = Array.from({ length: descriptors }, (_, i) => first + i)
    first += descriptors
    const open = async <Kind extends typeof kind>(_kind: Kind) => {
      const { openProcessLease } = (await import(module)) as ProcessLeaseModule<Kind>
      return openProcessLease(ticket, inherited, context)
    }
    if (kind === 'net') grants.push((await open('net')).grant(0, window))
    else if (kind === 'block') {
      const device = await open('block')
      const [[namespace, blocks]] = device.namespaces
      blockGrants.push(device.grant(0, { namespace, firstLba: 0, blocks }, window))
    } else {
      const device = await open('persistent')
      persistentGrants.push(device.grant({ byteOffset: 0, byteLength: device.byteLength }))
    }
  }
  const none: undefined[] = Array.from({ length: message.plan.partitions })
  return {
    ...message.plan,
    window,
    grants,
    blockGrants,
    persistentGrants,
    incoming: none,
    outgoing: none,
    hostModule: undefined,
  }
}

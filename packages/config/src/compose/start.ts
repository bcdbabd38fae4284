import {
  type FrameWindow,
  type Host,
  MonotonicClock,
  type NetDevice,
  type NetQueueGrant,
  ParakernelError,
  reasonOf,
  VirtualClock,
} from '@parakernel/hal'
import {
  type PartitionHandle,
  type PartitionPlan,
  type ProcessPlan,
  RunLoop,
  runPartitionInline,
  spawnPartition,
  spawnProcess,
} from '@parakernel/kernel'
import type { Payload } from '../partition/main.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { assignCores } from './cores.ts'
import { openDevice, openFurtherDevices } from './device.ts'
import { framesFor } from './frames.ts'
import { type HostDoor, openHost } from './host.ts'
import type { ComposeOptions } from './machine.ts'
import { createPartitionMemory, type PartitionMemory } from './memory.ts'
import { partitionModule, WORKER_MODULE } from './modules.ts'
import { checkIsolation, leaseAll } from './process-plans.ts'
import { queuesOf } from './queues-of.ts'
import { createRings } from './rings.ts'
import { Steering } from './steering.ts'
import { grantStorage, openStorage, type StorageDevice } from './storage.ts'
import type { Teardown } from './teardown.ts'

/** What a machine is made of, once it runs. */
export interface Parts {
  readonly device: NetDevice | undefined
  /** Of further interfaces. */
  readonly furtherDevices: readonly NetDevice[]
  readonly storageDevice: StorageDevice | undefined
  readonly loop: RunLoop | undefined
  readonly partitions: readonly PartitionHandle[]
  /** What each of them was started with. */
  readonly plans: readonly (PartitionPlan | ProcessPlan)[]
  readonly steering: Steering
}

/**
 * Starts the parts of a machine in order, and pushes the way to stop each on `teardown` as soon as it is there.
 * @param interruption aborted when the start shall not go on; its reason is what is thrown
 */
export async function startParts(
  config: ResolvedConfig,
  options: ComposeOptions<unknown>,
  name: string,
  teardown: Teardown,
  interruption: AbortSignal,
): Promise<Parts> {
  const { settings } = config
  const warn = options.warn ?? console.warn
  const door = await openHost(settings.host, config.application, warn)
  const loop = createLoop(config, options, door)
  checkIsolation(config, loop !== undefined)
  const cores = assignCores(loop === undefined ? settings.cpus : 'none', settings.partitions, door.host)
  interruption.throwIfAborted()

  const context = { clock: loop?.clock ?? new MonotonicClock(), warn, ...withHost(door) }
  const device = await openDevice(config, context, options.devices?.network).catch((cause) => {
    throw cause instanceof ParakernelError ? cause : errorOf(`device of backend ${config.backend?.name}`, cause)
  })
  if (device !== undefined) teardown.push(() => device.close())
  const furtherDevices = await openFurtherDevices(config, context, (one) => teardown.push(() => one.close())).catch(
    (cause) => {
      throw cause instanceof ParakernelError ? cause : errorOf('device of a further interface', cause)
    },
  )
  const storageDevice = await openStorage(config, context, options.devices?.storage, teardown).catch((cause) => {
    throw cause instanceof ParakernelError
      ? cause
      : errorOf(`storage of backend ${config.storage?.backend?.name}`, cause)
  })
  const devices = device === undefined ? [] : [device, ...furtherDevices]
  for (const { name: subject, capabilities } of devices) {
    if (capabilities.attach === 'thread' && loop === undefined) {
      const remedy = 'Compose with inline: true'
      throw new ParakernelError('ENOTSUP', 'its queues stay in the thread that opened it', { subject, remedy })
    }
  }
  if (loop !== undefined && options.loop === undefined) teardown.push(() => loop.close())

  const made = makePlans(config, options, name, door, devices, storageDevice, cores, teardown)
  const ownDevice = options.devices?.network === undefined ? device : undefined
  const steering = new Steering(config, made, ownDevice)
  const { plans } = steering
  if (ownDevice !== undefined) steer(config, ownDevice)
  for (const further of furtherDevices) steer(config, further)
  const abort = aborted(interruption)
  abort.catch(() => {})
  const partitions: PartitionHandle[] = []
  const peers = (index: number) => partitions[index]
  for (const plan of plans) {
    interruption.throwIfAborted()
    const running = startPartition(plan, loop, door, peers)
    let failed = false
    teardown.push(() => (failed ? undefined : stopPartition(running)))
    await Promise.race([running.ready, abort]).catch((cause) => {
      interruption.throwIfAborted()
      failed = true
      throw errorOf(`partition ${plan.name}`, cause)
    })
    partitions.push(running)
  }
  interruption.throwIfAborted()
  return { device, furtherDevices, storageDevice, loop, partitions, plans, steering }
}

function startPartition(
  plan: PartitionPlan | ProcessPlan,
  loop: RunLoop | undefined,
  door: HostDoor,
  peers: (index: number) => PartitionHandle | undefined,
): PartitionHandle {
  if ('grants' in plan) {
    return loop === undefined
      ? spawnPartition(plan, { ...withHost(door), peers })
      : runPartitionInline(plan, loop, door.host, peers)
  }
  return spawnProcess(plan, { host: hostOf(door).host, peers })
}

/** @throws ENOTSUP without a host, which alone can make a process without rights */
function hostOf({ host, module }: HostDoor): { readonly host: Host; readonly module: string } {
  if (host !== undefined && module !== undefined) return { host, module }
  throw new ParakernelError('ENOTSUP', 'a process without rights needs a host', {
    subject: 'isolation',
    remedy: 'Install @parakernel/linux, or set isolation to "worker"',
  })
}

/** Answers come back to the partition that asked, where the libOS says by which ports and the device can steer. */
function steer({ settings, libos }: ResolvedConfig, device: NetDevice): void {
  if (settings.partitions === 1 || !device.capabilities.steering) return
  const rules = libos.export.steeringRules?.(settings.network.libosOptions, settings.partitions) ?? []
  for (const rule of rules) device.steer(rule)
}

/** The loop of a machine in this thread. On a real clock it runs as a guest; a virtual one is the caller's to run. */
function createLoop(
  { settings }: ResolvedConfig,
  options: ComposeOptions<unknown>,
  door: HostDoor,
): RunLoop | undefined {
  if (options.loop !== undefined) return options.loop
  const { clock = new MonotonicClock() } = options
  const isVirtual = clock instanceof VirtualClock
  if (options.inline !== true && !isVirtual) return undefined
  const loop = new RunLoop({ clock, wait: settings.wait, ...withHost(door) })
  if (!isVirtual) loop.start('guest')
  return loop
}

function makePlans(
  config: ResolvedConfig,
  options: ComposeOptions<unknown>,
  name: string,
  door: HostDoor,
  devices: readonly NetDevice[],
  storageDevice: StorageDevice | undefined,
  cores: readonly (number | undefined)[],
  teardown: Teardown,
): (PartitionPlan<Payload> | ProcessPlan<Payload>)[] {
  const { settings } = config
  const frames = framesFor(config, devices, storageDevice, options.warn ?? console.warn)
  const names = cores.map((_, i) => (cores.length === 1 ? name : `${name}-${i}`))
  const isolated = settings.isolation === 'process' ? hostOf(door) : undefined
  const memories = names.map((one) => {
    const kind = isolated === undefined ? settings.memory : 'memfd'
    const memory = createPartitionMemory({ ...settings, memory: kind }, frames, one, door.host)
    teardown.push(() => memory.release())
    return memory
  })
  const wakes = memories.map(({ window }) => window.wake)
  const shared = config.libos.export.share?.(settings.network.libosOptions, settings.partitions, wakes)
  const { url } = config.libos
  const libosOptions = shared ?? settings.network.libosOptions
  const rings = createRings(wakes, options.rings)
  return memories.map((memory, index) => {
    const interfaces = settings.network.interfaces.map(({ name: one, options: own }, i) => ({
      ...{ name: one, options: own, queues: queuesOf(devices[i + 1], settings.partitions, index).length },
    }))
    const common = {
      name: names[index],
      index,
      partitions: settings.partitions,
      module: WORKER_MODULE,
      window: memory.window,
      heap: memory.heap,
      cpu: cores[index],
      wait: settings.wait,
      deviceReserve: frames.reserve,
      debugFrames: frames.debug,
      data: {
        module: partitionModule(options.partition),
        data: typeof options.data === 'function' ? (options.data as (i: number) => unknown)(index) : options.data,
        network: { module: url, options: { ...libosOptions }, interfaces },
        storage: storagePlan(config),
      },
    }
    const { window } = memory
    if (isolated !== undefined) {
      const none = memories.map(() => undefined)
      const leases = leaseAll(devices, storageDevice, settings.partitions, index, window, teardown)
      return { ...common, hostModule: isolated.module, incoming: none, outgoing: none, leases }
    }
    const grants = devices.flatMap((device) => grantQueues(device, settings.partitions, index, memory, teardown))
    const ofStorage = grantStorage(storageDevice, settings.partitions, index, window, teardown)
    const ends = { incoming: rings.incoming[index], outgoing: rings.outgoing[index] }
    return { ...common, hostModule: door.module, grants, ...ofStorage, ...ends }
  })
}

function storagePlan({ storage, settings }: ResolvedConfig): Payload['storage'] {
  if (storage === undefined) return undefined
  return { module: storage.libos.url, options: { ...settings.storage?.libosOptions } }
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function stopPartition(running: PartitionHandle): Promise<void> {
  const exit = await running.stop()
  if (exit.kind === 'crashed') throw exit.error
}

function withHost({ host }: HostDoor): { readonly host?: Host } {
  return host === undefined ? {} : { host }
}

function grantQueues(
  device: NetDevice,
  partitions: number,
  index: number,
  { window }: PartitionMemory,
  teardown: Teardown,
): NetQueueGrant[] {
  return queuesOf(device, partitions, index).map((queue) => {
    const grant = grantQueue(device, queue, window)
    teardown.push(() => device.reclaim(grant))
    return grant
  })
}

function grantQueue(device: NetDevice, queue: number, window: FrameWindow): NetQueueGrant {
  try {
    return device.grant(queue, window)
  } catch (cause) {
    throw cause instanceof ParakernelError ? cause : errorOf(`${device.name} queue ${queue}`, cause)
  }
}

/** An error of a part says which part it was: what the part threw stays its cause, and keeps its code and remedy. */
function errorOf(part: string, cause: unknown): ParakernelError {
  if (!(cause instanceof ParakernelError)) {
    const why = cause instanceof Error ? cause.message : String(cause)
    return new ParakernelError('EIO', `did not start: ${why}`, { subject: part, cause })
  }
  const { code, subject, remedy } = cause
  const what = `${subject === undefined ? '' : `${subject}: `}${reasonOf(cause)}`
  return new ParakernelError(code, `did not start: ${what}`, {
    subject: part,
    ...(remedy === undefined ? {} : { remedy }),
    cause,
  })
}

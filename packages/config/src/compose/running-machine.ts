import { type NetDevice, ParakernelError } from '@parakernel/hal'
import type { PartitionExit, RunLoop } from '@parakernel/kernel'
import type { Endpoints } from '../observe/observe.ts'
import { type PartitionLibOSStatistics, STATISTICS } from '../partition/main.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import type { Exit, Machine, MachineStatistics } from './machine.ts'
import type { Parts } from './start.ts'
import { isBlock, type StorageDevice } from './storage.ts'
import type { Teardown } from './teardown.ts'

export class RunningMachine implements Machine {
  readonly name: string
  readonly config: ResolvedConfig
  readonly endpoints: Endpoints
  readonly #exited: Promise<Exit>
  readonly #parts: Parts
  readonly #teardown: Teardown
  readonly #warn: (message: string) => void
  #exit!: (exit: Exit) => void
  /** Whether the program asked to be told of the end. A failure that nobody asked about must not pass for a success. */
  #isWatched = false
  #ending: Promise<void> | undefined

  constructor(
    name: string,
    config: ResolvedConfig,
    parts: Parts,
    endpoints: Endpoints,
    teardown: Teardown,
    warn: (message: string) => void,
  ) {
    this.name = name
    this.config = config
    this.endpoints = endpoints
    this.#parts = parts
    this.#teardown = teardown
    this.#warn = warn
    this.#exited = new Promise((resolve) => {
      this.#exit = resolve
    })
    for (const partition of parts.partitions) void this.#watch(partition.name, partition.exited)
  }

  get exited(): Promise<Exit> {
    this.#isWatched = true
    return this.#exited
  }

  get partitions(): number {
    return this.#parts.partitions.length
  }

  get device(): NetDevice | undefined {
    return this.#parts.device
  }

  get storageDevice(): StorageDevice | undefined {
    return this.#parts.storageDevice
  }

  get loop(): RunLoop | undefined {
    return this.#parts.loop
  }

  async call<Result>(partition: number, method: string, ...args: unknown[]): Promise<Result> {
    const running = this.#parts.partitions[partition]
    if (running === undefined) {
      const remedy = `Name one from 0 to ${this.partitions - 1}`
      throw new ParakernelError('EINVAL', `there is no partition ${partition}`, { subject: this.name, remedy })
    }
    if (this.#ending !== undefined) {
      throw new ParakernelError('ECANCELED', 'the machine is stopping', { subject: running.name })
    }
    return (await running.call(method, ...args)) as Result
  }

  async statistics(): Promise<MachineStatistics> {
    const { device, storageDevice } = this.#parts
    const queues = Array.from({ length: device?.queues ?? 0 }, (_, queue) => queue)
    const partitions = await Promise.all(
      this.#parts.partitions.map((_, i) => this.call<PartitionLibOSStatistics>(i, STATISTICS)),
    )
    return {
      device: device?.statistics(),
      queues: queues.flatMap((queue) => device?.queueStatistics(queue) ?? []),
      interfaces: Object.fromEntries(
        this.#parts.furtherDevices.map((one, i) => [this.config.settings.network.interfaces[i].name, one.statistics()]),
      ),
      partitions: partitions.map(({ network }) => network),
      steering: this.#parts.steering.statistics(),
      storage: {
        device: storageDevice !== undefined && isBlock(storageDevice) ? storageDevice.statistics() : undefined,
        partitions: partitions.map(({ storage }) => storage),
      },
    }
  }

  stop(): Promise<void> {
    return this.end({ reason: 'stopped' })
  }

  /** Stops for a reason; the first one counts. */
  end(exit: Exit): Promise<void> {
    this.#ending ??= this.#end(exit)
    return this.#ending
  }

  async #end(exit: Exit): Promise<void> {
    for (const failure of await this.#teardown.run()) {
      // What ended the machine is its exit's to tell.
      const isKnown = exit.reason === 'failed' && exit.error.cause === failure
      if (!isKnown) this.#warn(`${this.name}: while stopping: ${failure.message}`)
    }
    if (exit.reason === 'failed' && !this.#isWatched) {
      this.#warn(exit.error.message)
      process.exitCode ??= 1
    }
    this.#exit(exit)
  }

  /** A partition that ends while nobody has asked it to takes the machine with it. */
  async #watch(name: string, exited: Promise<PartitionExit>): Promise<void> {
    const exit = await exited
    if (this.#ending !== undefined) return
    const cause = exit.kind === 'crashed' ? exit.error : undefined
    const code = cause instanceof ParakernelError ? cause.code : 'EOWNERDEAD'
    const why = cause?.message ?? 'it ended by itself'
    await this.end({ reason: 'failed', error: new ParakernelError(code, why, { subject: `partition ${name}`, cause }) })
  }
}

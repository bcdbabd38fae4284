import { writeFileSync } from 'node:fs'
import {
  type BackendContext,
  type BlockDecorator,
  type BlockDevice,
  type BlockQueueGrant,
  ParakernelError,
  RecordRing,
  recordRingBuffer,
  type Traced,
} from '@parakernel/hal'
import { eventsKept, type TraceOptions, type TraceSettings, traceOptions } from '../trace/settings.ts'
import { blockChromeTrace } from './chrome-trace.ts'
import { BlockProbeDevice } from './probe-device.ts'

/** A block device whose queues note their commands. The rings are shared, so that a holder that is killed leaves its trace. */
export class BlockTraceDevice extends BlockProbeDevice<TraceSettings> implements Traced {
  readonly file: string
  readonly #events: number
  readonly #context: BackendContext
  readonly #settings = new Map<number, TraceSettings>()
  readonly #rings = new Map<number, RecordRing>()
  readonly #atExit = () => {
    try {
      writeFileSync(this.file, JSON.stringify(this.trace()))
    } catch (error) {
      this.#context.warn?.(`${this.file} could not be written: ${(error as Error).message}`)
    }
  }
  #written = false

  constructor(inner: BlockDevice, options: TraceOptions, context: BackendContext) {
    super('block-trace', inner)
    this.file = options.file ?? `${inner.name}.trace.json`
    this.#events = eventsKept(options)
    this.#context = context
    process.on('exit', this.#atExit)
  }

  /** What the file would hold now. */
  trace(): ReturnType<typeof blockChromeTrace> {
    return blockChromeTrace(this.name, this.#rings)
  }

  /** @throws EIO when the file cannot be written; the device is closed all the same. */
  override async close(): Promise<void> {
    await super.close()
    process.off('exit', this.#atExit)
    if (this.#written) return
    this.#written = true
    try {
      writeFileSync(this.file, JSON.stringify(this.trace()))
    } catch (cause) {
      throw new ParakernelError('EIO', `cannot be written: ${(cause as Error).message}`, {
        subject: this.file,
        remedy: 'Choose a writable place with the option `file`',
        cause,
      })
    }
  }

  protected settings({ queue }: BlockQueueGrant): TraceSettings {
    let settings = this.#settings.get(queue)
    if (settings === undefined) {
      settings = { ring: recordRingBuffer(this.#events) }
      this.#settings.set(queue, settings)
      this.#rings.set(queue, new RecordRing(settings.ring))
    }
    return settings
  }
}

/** Notes every command of a block device, refusals and full queues, for Perfetto. */
export const blockTrace: BlockDecorator<TraceOptions> = {
  kind: 'block-decorator',
  name: 'block-trace',
  options: traceOptions,
  wrap: (device, options, context) =>
    options.enabled === false ? device : new BlockTraceDevice(device, options, context),
}

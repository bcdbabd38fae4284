import type { BackendContext, BlockDecorator, BlockDevice, BlockQueueGrant, Traced } from '@parakernel/hal'
import { type TraceOptions, type TraceSettings, traceOptions } from '../trace/settings.ts'
import { TraceFile } from '../trace/trace-file.ts'
import { blockChromeTrace } from './chrome-trace.ts'
import { BlockProbeDevice } from './probe-device.ts'

/** A block device whose queues note their commands. */
export class BlockTraceDevice extends BlockProbeDevice<TraceSettings> implements Traced {
  readonly #file: TraceFile

  constructor(inner: BlockDevice, options: TraceOptions, context: BackendContext) {
    super('block-trace', inner)
    this.#file = new TraceFile(inner.name, options, context, () => this.trace())
  }

  get file(): string {
    return this.#file.path
  }

  /** What the file would hold now. */
  trace(): ReturnType<typeof blockChromeTrace> {
    return blockChromeTrace(this.name, this.#file.rings)
  }

  /** @throws EIO when the file cannot be written; the device is closed all the same. */
  override async close(): Promise<void> {
    await super.close()
    this.#file.write()
  }

  protected settings({ queue }: BlockQueueGrant): TraceSettings {
    return this.#file.settings(queue)
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

import type { BackendContext, ChromeEvent, NetDecorator, NetDevice, NetQueueGrant, Traced } from '@parakernel/hal'
import { type ProbeGrant, wrapGrant } from '../grant.ts'
import { ProbeDevice } from '../probe-device.ts'
import { chromeTrace } from './chrome-trace.ts'
import { type TraceOptions, type TraceSettings, traceOptions } from './settings.ts'
import { TraceFile } from './trace-file.ts'

/** A device whose queues note what they do. */
export class TraceDevice extends ProbeDevice<TraceSettings> implements Traced {
  readonly #file: TraceFile

  constructor(inner: NetDevice, options: TraceOptions, context: BackendContext) {
    super(inner)
    this.#file = new TraceFile(inner.name, options, context, () => this.trace())
  }

  get file(): string {
    return this.#file.path
  }

  /** What the file would hold now. */
  trace(): { traceEvents: ChromeEvent[] } {
    return chromeTrace(this.name, this.#file.rings)
  }

  /** @throws EIO when the file cannot be written; the device is closed all the same. */
  override async close(): Promise<void> {
    await super.close()
    this.#file.write()
  }

  protected wrap(grant: NetQueueGrant): ProbeGrant<TraceSettings> {
    return wrapGrant('trace', grant, this.#file.settings(grant.queue))
  }
}

/** Notes bursts, full rings, refusals and sleeps, for Perfetto. */
export const trace: NetDecorator<TraceOptions> = {
  kind: 'net-decorator',
  name: 'trace',
  options: traceOptions,
  wrap: (device, options, context) => (options.enabled === false ? device : new TraceDevice(device, options, context)),
}

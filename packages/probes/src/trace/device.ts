import { writeFileSync } from 'node:fs'
import {
  type BackendContext,
  type ChromeEvent,
  type NetDecorator,
  type NetDevice,
  type NetQueueGrant,
  ParakernelError,
  RecordRing,
  recordRingBuffer,
  type Traced,
} from '@parakernel/hal'
import { type ProbeGrant, wrapGrant } from '../grant.ts'
import { ProbeDevice } from '../probe-device.ts'
import { chromeTrace } from './chrome-trace.ts'
import { eventsKept, type TraceOptions, type TraceSettings, traceOptions } from './settings.ts'

/** A device whose queues note what they do. The rings are shared, so that a holder that is killed leaves its trace. */
export class TraceDevice extends ProbeDevice<TraceSettings> implements Traced {
  readonly file: string
  readonly #events: number
  readonly #context: BackendContext
  readonly #settings = new Map<number, TraceSettings>()
  readonly #rings = new Map<number, RecordRing>()
  readonly #atExit = () => this.#write()
  #written = false

  constructor(inner: NetDevice, options: TraceOptions, context: BackendContext) {
    super(inner)
    this.file = options.file ?? `${inner.name}.trace.json`
    this.#events = eventsKept(options)
    this.#context = context
    process.on('exit', this.#atExit)
  }

  /** What the file would hold now. */
  trace(): { traceEvents: ChromeEvent[] } {
    return chromeTrace(this.name, this.#rings)
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
        remedy: 'Choose a writable place with the trace option `file`',
        cause,
      })
    }
  }

  protected wrap(grant: NetQueueGrant): ProbeGrant<TraceSettings> {
    let settings = this.#settings.get(grant.queue)
    if (settings === undefined) {
      settings = { ring: recordRingBuffer(this.#events) }
      this.#settings.set(grant.queue, settings)
      this.#rings.set(grant.queue, new RecordRing(settings.ring))
    }
    return wrapGrant('trace', grant, settings)
  }

  /** On the way out of the process nobody is left to catch an error. */
  #write(): void {
    try {
      writeFileSync(this.file, JSON.stringify(this.trace()))
    } catch (error) {
      this.#context.warn?.(`${this.file} could not be written: ${(error as Error).message}`)
    }
  }
}

/** Notes bursts, full rings, refusals and sleeps, for Perfetto. */
export const trace: NetDecorator<TraceOptions> = {
  kind: 'net-decorator',
  name: 'trace',
  options: traceOptions,
  wrap: (device, options, context) => (options.enabled === false ? device : new TraceDevice(device, options, context)),
}

import { writeFileSync } from 'node:fs'
import { type BackendContext, type ChromeEvent, ParakernelError, RecordRing, recordRingBuffer } from '@parakernel/hal'
import { eventsKept, type TraceOptions, type TraceSettings } from './settings.ts'

/** The rings of a device's queues, and the file that they become, once: when the device is closed, or when the process ends before. */
export class TraceFile {
  readonly path: string
  readonly rings: ReadonlyMap<number, RecordRing>
  readonly #rings = new Map<number, RecordRing>()
  readonly #settings = new Map<number, TraceSettings>()
  readonly #events: number
  readonly #content: () => { readonly traceEvents: readonly ChromeEvent[] }
  readonly #warn: BackendContext['warn']
  readonly #atExit = () => this.#writeAtExit()
  #written = false

  constructor(
    device: string,
    options: TraceOptions,
    context: BackendContext,
    content: () => { readonly traceEvents: readonly ChromeEvent[] },
  ) {
    this.path = options.file ?? `${device}.trace.json`
    this.rings = this.#rings
    this.#events = eventsKept(options)
    this.#content = content
    this.#warn = context.warn
    process.on('exit', this.#atExit)
  }

  /** What a grant of the queue carries: the same ring for every grant, shared, so that a holder that is killed leaves its trace. */
  settings(queue: number): TraceSettings {
    let settings = this.#settings.get(queue)
    if (settings === undefined) {
      settings = { ring: recordRingBuffer(this.#events) }
      this.#settings.set(queue, settings)
      this.#rings.set(queue, new RecordRing(settings.ring))
    }
    return settings
  }

  /** @throws EIO when the file cannot be written */
  write(): void {
    process.off('exit', this.#atExit)
    if (this.#written) return
    this.#written = true
    try {
      writeFileSync(this.path, JSON.stringify(this.#content()))
    } catch (cause) {
      throw new ParakernelError('EIO', `cannot be written: ${(cause as Error).message}`, {
        subject: this.path,
        remedy: 'Choose a writable place with the trace option `file`',
        cause,
      })
    }
  }

  /** On the way out of the process nobody is left to catch an error. */
  #writeAtExit(): void {
    try {
      this.write()
    } catch (error) {
      this.#warn?.((error as Error).message)
    }
  }
}

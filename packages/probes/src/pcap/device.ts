import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  type BackendContext,
  type Clock,
  type NetDecorator,
  type NetDevice,
  type NetQueueGrant,
  ParakernelError,
  VirtualClock,
} from '@parakernel/hal'
import { type ProbeGrant, wrapGrant } from '../grant.ts'
import { MODULE } from '../module.ts'
import { ProbeDevice } from '../probe-device.ts'
import { ByteRing, byteRingBuffer } from './byte-ring.ts'
import { fileHeader } from './format.ts'
import { checkPcapOptions, type PcapOptions, type PcapSettings, pcapOptions } from './settings.ts'

/** Milliseconds that closing waits for the writer thread to finish a write. */
const PATIENCE = 2_000

interface Capture {
  readonly path: string
  readonly settings: PcapSettings
  readonly ring: ByteRing
}

/** A device whose queues are captured, each to a file that is opened with its first grant and closed with the device. */
export class PcapDevice extends ProbeDevice<PcapSettings> {
  readonly #options: Required<Omit<PcapOptions, 'enabled'>>
  readonly #context: BackendContext
  readonly #bell = new SharedArrayBuffer(64)
  readonly #captures = new Map<number, Capture>()
  readonly #epoch: { readonly seconds: number; readonly nanoseconds: number }
  readonly #atExit = () => this.#flush()
  #worker: Worker | undefined

  constructor(inner: NetDevice, options: PcapOptions, context: BackendContext) {
    super(inner)
    checkPcapOptions(options)
    const { directory = '.', name = inner.name, snapLength = 65_535, buffer = 4_194_304 } = options
    this.#options = { directory, name, snapLength, buffer }
    this.#context = context
    this.#epoch = epochOf(context.clock)
  }

  /** Files written so far, by queue, with how many packets each has and how many it should have but was too slow for. */
  get captures(): readonly { queue: number; path: string; captured: number; missed: number }[] {
    return [...this.#captures].map(([queue, { path, ring }]) => ({
      queue,
      path,
      captured: ring.captured,
      missed: ring.missed,
    }))
  }

  override async close(): Promise<void> {
    await super.close()
    this.#flush()
    await this.#worker?.terminate()
    this.#worker = undefined
    process.off('exit', this.#atExit)
    for (const { path, ring, settings } of this.#captures.values()) {
      closeSync(settings.fd)
      if (ring.failed) this.#context.warn?.(`${path} could not be written to its end`)
      if (ring.missed > 0) this.#context.warn?.(`${path} lacks ${ring.missed} packets that the disk was too slow for`)
    }
    this.#captures.clear()
  }

  protected wrap(grant: NetQueueGrant): ProbeGrant<PcapSettings> {
    let capture = this.#captures.get(grant.queue)
    if (capture === undefined) {
      try {
        capture = this.#open(grant.queue)
      } catch (cause) {
        this.inner.reclaim(grant)
        throw cause
      }
    }
    return wrapGrant('pcap', grant, capture.settings)
  }

  #open(queue: number): Capture {
    const { directory, name, snapLength, buffer } = this.#options
    const path = join(directory, `${name.replace(/[^\w.-]+/g, '-')}-q${queue}.pcap`)
    const ring = byteRingBuffer(buffer)
    let fd: number
    try {
      mkdirSync(directory, { recursive: true })
      fd = openSync(path, 'w')
      writeSync(fd, fileHeader(snapLength))
    } catch (cause) {
      throw new ParakernelError('EIO', `cannot be written: ${(cause as Error).message}`, {
        subject: path,
        remedy: 'Choose a writable place with the pcap option `directory`',
        cause,
      })
    }
    const settings: PcapSettings = {
      ring,
      bell: this.#bell,
      fd,
      snapLength,
      epochSeconds: this.#epoch.seconds,
      epochNanoseconds: this.#epoch.nanoseconds,
    }
    const capture = { path, settings, ring: new ByteRing(ring) }
    this.#captures.set(queue, capture)
    this.#writer().postMessage({ ring, fd })
    return capture
  }

  /** The thread that writes, started with the first file. It does not keep the process alive. */
  #writer(): Worker {
    if (this.#worker === undefined) {
      const file = MODULE.endsWith('.ts') ? './worker.ts' : './worker.js'
      this.#worker = new Worker(new URL(file, MODULE), { workerData: this.#bell })
      this.#worker.unref()
      // Without the thread the captures still are written, at detach, close and exit, as far as their rings hold.
      this.#worker.on('error', (error) => this.#context.warn?.(`the pcap writer thread failed: ${error.message}`))
      process.on('exit', this.#atExit)
    }
    return this.#worker
  }

  #flush(): void {
    for (const { ring, settings } of this.#captures.values()) if (ring.pending > 0) ring.drain(settings.fd, PATIENCE)
  }
}

/** Captures every packet to pcap files that tshark and Wireshark read. */
export const pcap: NetDecorator<PcapOptions> = {
  kind: 'net-decorator',
  name: 'pcap',
  options: pcapOptions,
  wrap: (device, options, context) => (options.enabled === false ? device : new PcapDevice(device, options, context)),
}

/** Virtual time is captured as it is, so that the same run gives the same file; the machine's is moved to 1970. */
function epochOf(clock: Clock): { seconds: number; nanoseconds: number } {
  if (clock instanceof VirtualClock) return { seconds: 0, nanoseconds: 0 }
  const offset = BigInt(Date.now()) * 1_000_000n - BigInt(Math.floor(clock.now()))
  return { seconds: Number(offset / 1_000_000_000n), nanoseconds: Number(offset % 1_000_000_000n) }
}

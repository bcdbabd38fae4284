import {
  attachPersistentRegion,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRange,
  type PersistentRegion,
} from '@parakernel/hal'
import type { PersistentConformanceOptions, PersistentFixture } from './fixture.ts'
import { PersistentWorker } from './worker-holder.ts'

const SPACE = 1 << 20

/** A region with views of its bytes. */
export interface Held {
  readonly region: PersistentRegion
  readonly bytes: Uint8Array
  readonly words: BigUint64Array
}

/** What one case works with; `finish` gives back everything that the case opened. */
export class PersistentSession {
  readonly fixture: PersistentFixture
  readonly device: PersistentDevice
  readonly decorated: boolean
  readonly operations: number
  /** What the case may overwrite. */
  readonly range: PersistentRange
  /** Bytes that ranges are made of. */
  readonly unit: number
  readonly #grants: PersistentGrant[] = []
  readonly #regions: PersistentRegion[] = []
  readonly #workers: PersistentWorker[] = []

  constructor(
    fixture: PersistentFixture,
    device: PersistentDevice,
    { operations = 20_000 }: Partial<PersistentConformanceOptions>,
  ) {
    this.fixture = fixture
    this.device = device
    this.decorated = device !== fixture.device
    this.operations = operations
    this.unit = Math.max(64, device.capabilities.granularity)
    const byteLength = Math.floor(Math.min(SPACE, device.byteLength) / this.unit) * this.unit
    this.range = fixture.range ?? { byteOffset: 0, byteLength }
  }

  grant(range: PersistentRange = this.range): PersistentGrant {
    const grant = this.device.grant(range)
    this.#grants.push(grant)
    return grant
  }

  async attach(grant: PersistentGrant): Promise<Held> {
    const region = await attachPersistentRegion(grant, this.fixture.context)
    this.#regions.push(region)
    const { buffer } = region.region
    return {
      region,
      bytes: new Uint8Array(buffer, region.byteOffset, region.byteLength),
      words: new BigUint64Array(buffer, region.byteOffset, region.byteLength >> 3),
    }
  }

  async open(range?: PersistentRange): Promise<Held> {
    return this.attach(this.grant(range))
  }

  close({ region }: Held): void {
    region.detach()
    this.device.reclaim(region.grant)
  }

  async startWorker(): Promise<PersistentWorker> {
    const worker = await PersistentWorker.start(this.fixture.hostModule)
    this.#workers.push(worker)
    return worker
  }

  async finish(): Promise<void> {
    for (const worker of this.#workers) await worker.terminate()
    for (const region of this.#regions) region.detach()
    for (const grant of this.#grants) this.device.reclaim(grant)
  }
}

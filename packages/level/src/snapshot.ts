import type { RecordSnapshot } from '@parakernel/storage'
import { AbstractSnapshot } from 'abstract-level'

/** The state of a database at one moment. */
export class ParakernelSnapshot extends AbstractSnapshot {
  /** @internal */
  readonly records: RecordSnapshot

  constructor(options: object, records: RecordSnapshot) {
    // The typings know nothing of the argument, which names the owner.
    super(...([options] as unknown as []))
    this.records = records
  }

  async _close(): Promise<void> {
    this.records.release()
  }
}

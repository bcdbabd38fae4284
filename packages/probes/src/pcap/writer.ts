import { WakeWord } from '@parakernel/hal'
import { ByteRing } from './byte-ring.ts'

/** Milliseconds after which the writer looks for bytes that nobody called it for. */
const PERIOD = 50

/** Adds the file of a queue to what the writer thread looks after. */
export interface WriterFile {
  readonly ring: SharedArrayBuffer
  readonly fd: number
}

/** Moves bytes from rings to files for as long as its thread lives. */
export class PcapWriter {
  readonly #files: { readonly ring: ByteRing; readonly fd: number }[] = []
  readonly #bell: WakeWord

  constructor(bell: SharedArrayBuffer) {
    this.#bell = new WakeWord(bell)
  }

  add({ ring, fd }: WriterFile): void {
    this.#files.push({ ring: new ByteRing(ring), fd })
  }

  async run(): Promise<never> {
    for (;;) {
      const sequence = this.#bell.announce()
      this.drain()
      // Asynchronous, so that messages about further files come through.
      await this.#bell.sleepAsync(sequence, PERIOD)
    }
  }

  drain(): void {
    for (const { ring, fd } of this.#files) if (ring.pending > 0) ring.drain(fd)
  }
}

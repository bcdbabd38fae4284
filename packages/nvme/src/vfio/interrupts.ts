import type { VfioVectors } from '@parakernel/linux'
import type { Interrupts, VectorShare } from '../transport.ts'

/** MSI-X vectors as eventfds, which the transport owns and closes. */
export class VfioInterrupts implements Interrupts {
  private readonly msix: VfioVectors

  constructor(msix: VfioVectors) {
    this.msix = msix
  }

  get vectors(): number {
    return this.msix.count
  }

  connect(vector: number): VectorShare {
    return { kind: 'descriptor', fd: this.msix.connect(vector) }
  }

  disconnect(vector: number): void {
    this.msix.disconnect(vector)
  }
}

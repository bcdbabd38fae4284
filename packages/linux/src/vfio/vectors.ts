import { closeSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { calls } from '../ffi/calls.ts'
import { createEventFd } from '../wait/eventfd.ts'
import * as vfio from './constants.ts'
import { request, vfioStruct } from './structs.ts'

/** More than a queue for each core of today's machines would only take interrupt vectors away from others. */
const MOST = 256

/**
 * MSI-X vectors as eventfds. Kernels before 6.5 cannot add a vector to those that are enabled, so the first connection enables all of
 * them, most without a descriptor, and later ones change single entries.
 */
export class VfioVectors {
  /** Vectors that can be connected; 0: the device has no MSI-X. */
  count: number
  private readonly fd: number
  private readonly subject: string
  private readonly descriptors = new Map<number, number>()
  private enabled = false

  constructor(deviceFd: number, subject: string) {
    this.fd = deviceFd
    this.subject = subject
    const info = vfioStruct(16)
    info.setUint32(8, vfio.VFIO_PCI_MSIX_IRQ_INDEX, true)
    const known = calls().ioctl(deviceFd, vfio.VFIO_DEVICE_GET_IRQ_INFO, info) === 0
    this.count = known ? Math.min(MOST, info.getUint32(12, true)) : 0
  }

  /** The descriptor that becomes readable with each interrupt of the vector; it belongs to this object. @throws EINVAL, EMFILE, ENOMEM */
  connect(vector: number): number {
    if (!(vector >= 0 && vector < this.count)) {
      throw new ParakernelError('EINVAL', `has ${this.count} vectors, and no vector ${vector}`, {
        subject: this.subject,
      })
    }
    const known = this.descriptors.get(vector)
    if (known !== undefined) return known
    const descriptor = createEventFd()
    try {
      if (!this.enabled) this.enable()
      this.set(vector, [descriptor])
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
    this.descriptors.set(vector, descriptor)
    return descriptor
  }

  /** Unknown vectors are ignored. */
  disconnect(vector: number): void {
    const descriptor = this.descriptors.get(vector)
    if (descriptor === undefined) return
    this.descriptors.delete(vector)
    this.set(vector, [-1])
    closeSync(descriptor)
  }

  /** No interrupt comes any more. Idempotent. */
  close(): void {
    if (this.enabled) {
      this.enabled = false
      calls().ioctl(this.fd, vfio.VFIO_DEVICE_SET_IRQS, irqSet(0, [], vfio.VFIO_IRQ_SET_DATA_NONE))
    }
    for (const descriptor of this.descriptors.values()) closeSync(descriptor)
    this.descriptors.clear()
  }

  private enable(): void {
    const none = () => new Array<number>(this.count).fill(-1)
    const available = this.set(0, none())
    // The platform has fewer vectors than the device: it says how many, and enables none.
    if (available > 0) {
      this.count = available
      this.set(0, none())
    }
    this.enabled = true
  }

  private set(start: number, descriptors: readonly number[]): number {
    const argument = irqSet(start, descriptors, vfio.VFIO_IRQ_SET_DATA_EVENTFD)
    return request(this.fd, vfio.VFIO_DEVICE_SET_IRQS, argument, 'ioctl(VFIO_DEVICE_SET_IRQS)', this.subject)
  }
}

/** struct vfio_irq_set: size, flags, index, start, count, and a descriptor for each. */
function irqSet(start: number, descriptors: readonly number[], data: number): DataView<ArrayBuffer> {
  const view = vfioStruct(20 + 4 * descriptors.length)
  view.setUint32(4, data | vfio.VFIO_IRQ_SET_ACTION_TRIGGER, true)
  view.setUint32(8, vfio.VFIO_PCI_MSIX_IRQ_INDEX, true)
  view.setUint32(12, start, true)
  view.setUint32(16, descriptors.length, true)
  for (const [i, descriptor] of descriptors.entries()) view.setInt32(20 + 4 * i, descriptor, true)
  return view
}

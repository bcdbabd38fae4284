import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bindToVfio, returnToKernel } from '@parakernel/linux'

/** Serial numbers that the machine's profiles give. */
export const VFIO_SERIAL = 'LABVFIO'
export const KERNEL_SERIAL = 'LABKERN'

export interface KernelController {
  /** `nvme0`: the kernel's numbering changes from boot to boot. */
  readonly name: string
  readonly address: string
}

/** A controller that the kernel's driver has, by its serial number. */
export function kernelController(serial: string): KernelController | undefined {
  const folder = '/sys/class/nvme'
  for (const name of readdirSync(folder)) {
    if (readFileSync(join(folder, name, 'serial'), 'latin1').trim() !== serial) continue
    return { name, address: basename(realpathSync(join(folder, name, 'device'))) }
  }
  return undefined
}

/** The block device of a namespace, `/dev/nvme1n1`; multipath numbering is the subsystem's. */
export function blockDeviceOf(serial: string, namespace = 1): string {
  const controller = kernelController(serial)
  if (controller === undefined) throw new Error(`the kernel has no controller ${serial}`)
  const folder = join('/sys/class/nvme', controller.name)
  for (const name of readdirSync(folder)) {
    if (/^nvme\d+(c\d+)?n\d+$/.test(name) && name.endsWith(`n${namespace}`)) return `/dev/${name.replace(/c\d+/, '')}`
  }
  throw new Error(`${serial} has no namespace ${namespace}`)
}

let vfioAddress: string | undefined

/** The address of the controller for VFIO, bound to vfio-pci; found by its serial number while the kernel still has it. */
export function vfioController(): string {
  vfioAddress ??= kernelController(VFIO_SERIAL)?.address
  if (vfioAddress === undefined) throw new Error(`no controller ${VFIO_SERIAL}`)
  bindToVfio(vfioAddress)
  return vfioAddress
}

/** Gives it back, and waits until its block devices are there. */
export async function returnVfioController(): Promise<void> {
  returnToKernel(vfioController())
  const deadline = performance.now() + 40_000
  for (;;) {
    try {
      if (statSync(blockDeviceOf(VFIO_SERIAL), { throwIfNoEntry: false })?.isBlockDevice()) return
    } catch {
      // The driver has not scanned the namespaces yet.
    }
    if (performance.now() > deadline) throw new Error('the namespaces do not come back')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

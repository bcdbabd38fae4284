import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import { systemError } from '../errno.ts'
import { PCI_DEVICES, type PciDevice, readPciDevice } from './pci.ts'
import { blockUsers } from './users.ts'

const VFIO_PCI = 'vfio-pci'

/**
 * Takes a device from the kernel's driver and gives it to vfio-pci. Needs root.
 * @throws EBUSY when a mounted file system, swap space or another block device lies on it; EPERM; ENODEV; ENOTSUP without the module
 */
export function bindToVfio(address: string): PciDevice {
  const before = readPciDevice(address)
  if (before.driver === VFIO_PCI) return before
  refuseUsed(address)
  if (!existsSync(`/sys/bus/pci/drivers/${VFIO_PCI}`)) {
    throw new ParakernelError('ENOTSUP', `the kernel's ${VFIO_PCI} driver is not loaded`, {
      subject: address,
      remedy: `Run modprobe ${VFIO_PCI} as root`,
    })
  }
  return rebind(before, VFIO_PCI)
}

/** Gives a device back to the driver that the kernel would choose for it. Needs root, and that nobody holds it open by VFIO. */
export function returnToKernel(address: string): PciDevice {
  const before = readPciDevice(address)
  return before.driver === VFIO_PCI ? rebind(before, '') : before
}

/** @throws EBUSY naming what uses it */
export function refuseUsed(address: string): void {
  const users = blockUsers(address)
  if (users.length === 0) return
  throw new ParakernelError('EBUSY', `is in use: ${users.join(', ')}`, {
    subject: address,
    remedy: 'Unmount the file system or detach what is on it first; a driver of our own would write under its feet',
  })
}

function rebind({ address, driver }: PciDevice, override: string): PciDevice {
  const folder = join(PCI_DEVICES, address)
  if (driver !== undefined) write(join(folder, 'driver', 'unbind'), address, address)
  // An empty line takes the override back.
  write(join(folder, 'driver_override'), `${override}\n`, address)
  write('/sys/bus/pci/drivers_probe', address, address)
  const after = readPciDevice(address)
  if (after.driver !== undefined && (override === '' || after.driver === override)) return after
  throw new ParakernelError('ENODEV', `no driver took it${override === '' ? '' : `, ${override} neither`}`, {
    subject: address,
    remedy: 'See the kernel log (dmesg)',
  })
}

function write(file: string, text: string, subject: string): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    throw systemError(-((cause as { errno?: number }).errno ?? -5), {
      call: `write to ${file}`,
      subject,
      remedy: 'Run as root, outside of containers that see sysfs read-only',
      cause,
    })
  }
}

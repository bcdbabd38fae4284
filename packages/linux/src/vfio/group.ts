import { closeSync, openSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { EACCES, EBUSY, EPERM, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { refuseUsed } from './binding.ts'
import * as vfio from './constants.ts'
import type { VfioContainer } from './container.ts'
import { iommuGroupMembers, type PciDevice } from './pci.ts'
import { request, vfioStruct } from './structs.ts'

/**
 * Looks whether a device can be opened by VFIO, and changes nothing. Returns its group.
 * @throws ENOTSUP without an IOMMU; EBUSY when it is mounted, or bound to the kernel's driver, with the commands that bind it
 */
export function requireVfioBound({ address, iommuGroup, driver }: PciDevice): number {
  if (driver !== 'vfio-pci') refuseUsed(address)
  if (iommuGroup === undefined) {
    throw new ParakernelError('ENOTSUP', 'is behind no IOMMU, so that its DMA could reach any memory', {
      subject: address,
      remedy:
        'Enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on, or use the io-uring backend on the block device',
    })
  }
  if (driver === 'vfio-pci') return iommuGroup
  throw new ParakernelError(
    'EBUSY',
    driver === undefined ? 'is bound to no driver' : `is bound to the kernel's driver ${driver}`,
    {
      subject: address,
      remedy: `Bind it to vfio-pci: ${bindingCommands(address, driver)}`,
    },
  )
}

function bindingCommands(address: string, driver: string | undefined): string {
  const device = `/sys/bus/pci/devices/${address}`
  const unbind = driver === undefined ? [] : [`echo ${address} > ${device}/driver/unbind`]
  return [
    'modprobe vfio-pci',
    ...unbind,
    `echo vfio-pci > ${device}/driver_override`,
    `echo ${address} > /sys/bus/pci/drivers_probe`,
  ].join('; ')
}

/**
 * Opens the IOMMU group of a device and puts it into the container. Returns its descriptor.
 * @throws EACCES, EPERM; EBUSY when another process has it, or when a neighbour in the group is with another driver
 */
export function openVfioGroup(device: PciDevice, group: number, container: VfioContainer): number {
  const path = `/dev/vfio/${group}`
  let fd: number
  try {
    fd = openSync(path, 'r+')
  } catch (cause) {
    const errno = -((cause as { errno?: number }).errno ?? -5)
    const remedies: Readonly<Record<number, string>> = {
      [EBUSY]: 'Another process drives the device: stop it, or take another device',
      [EACCES]: `Run as root, or give the user read and write access to ${path}`,
      [EPERM]: `Run as root, or give the user read and write access to ${path}`,
    }
    const remedy = remedies[errno]
    throw systemError(errno, {
      call: `open ${path}`,
      subject: device.address,
      ...(remedy === undefined ? {} : { remedy }),
      cause,
    })
  }
  try {
    const status = vfioStruct(8)
    request(fd, vfio.VFIO_GROUP_GET_STATUS, status, 'ioctl(VFIO_GROUP_GET_STATUS)', device.address)
    if ((status.getUint32(4, true) & vfio.VFIO_GROUP_FLAGS_VIABLE) === 0) refuseNeighbours(device, group)
    const argument = new Int32Array([container.fd])
    request(fd, vfio.VFIO_GROUP_SET_CONTAINER, argument, 'ioctl(VFIO_GROUP_SET_CONTAINER)', device.address)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function refuseNeighbours(device: PciDevice, group: number): never {
  const others = iommuGroupMembers(group).filter((one) => one.driver !== undefined && one.driver !== 'vfio-pci')
  throw new ParakernelError(
    'EBUSY',
    `shares IOMMU group ${group} with ${others.map((one) => `${one.address} (${one.driver})`).join(', ')}`,
    {
      subject: device.address,
      remedy: 'Bind every device of the group to vfio-pci, or put the device into another slot',
    },
  )
}

/** The device's own descriptor, from its group. */
export function openDeviceDescriptor(groupFd: number, address: string): number {
  const fd = calls().ioctl(groupFd, vfio.VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${address}\0`, 'latin1'))
  if (fd >= 0) return fd
  throw systemError(foreign().errno(), { call: 'ioctl(VFIO_GROUP_GET_DEVICE_FD)', subject: address })
}

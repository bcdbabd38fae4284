import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'

export const PCI_DEVICES = '/sys/bus/pci/devices'

/** Base class, subclass and programming interface of an NVMe controller (NVMe over PCIe 1.0, section 3.8.1). */
export const PCI_CLASS_NVME = 0x010802

export interface PciDevice {
  /** Domain, bus, device and function: `0000:00:04.0`. */
  readonly address: string
  readonly vendor: number
  readonly device: number
  /** 24 bits: base class, subclass, programming interface. */
  readonly classCode: number
  /** The kernel's driver that it is bound to, if any. */
  readonly driver: string | undefined
  /** Devices of one group cannot be kept apart by the IOMMU; undefined without one. */
  readonly iommuGroup: number | undefined
}

/** @throws EINVAL for what is no address, ENODEV when there is no such device */
export function readPciDevice(address: string): PciDevice {
  if (!/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$/.test(address)) {
    throw new ParakernelError('EINVAL', 'is not a PCI address', {
      subject: `device ${JSON.stringify(address)}`,
      remedy: 'Write domain, bus, device and function, such as 0000:00:04.0',
    })
  }
  const folder = join(PCI_DEVICES, address)
  if (!existsSync(folder)) {
    const others = listPciDevices(PCI_CLASS_NVME).map((device) => device.address)
    throw new ParakernelError('ENODEV', 'there is no such PCI device', {
      subject: address,
      remedy:
        others.length === 0 ? 'This machine has no NVMe controller' : `NVMe controllers here: ${others.join(', ')}`,
    })
  }
  const number = (file: string) => Number(readFileSync(join(folder, file), 'latin1').trim())
  const group = linkName(join(folder, 'iommu_group'))
  return {
    address,
    vendor: number('vendor'),
    device: number('device'),
    classCode: number('class'),
    driver: linkName(join(folder, 'driver')),
    iommuGroup: group === undefined ? undefined : Number(group),
  }
}

/** In the order of their addresses. */
export function listPciDevices(classCode?: number): PciDevice[] {
  if (!existsSync(PCI_DEVICES)) return []
  return readdirSync(PCI_DEVICES)
    .sort()
    .map(readPciDevice)
    .filter((device) => classCode === undefined || device.classCode === classCode)
}

/** The devices of an IOMMU group. */
export function iommuGroupMembers(group: number): PciDevice[] {
  return readdirSync(`/sys/kernel/iommu_groups/${group}/devices`).sort().map(readPciDevice)
}

function linkName(link: string): string | undefined {
  try {
    return basename(readlinkSync(link))
  } catch {
    return undefined
  }
}

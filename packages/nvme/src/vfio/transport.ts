import { ParakernelError } from '@parakernel/hal'
import { listPciDevices, openVfioDevice, PCI_CLASS_NVME, readPciDevice, type VfioDevice } from '@parakernel/linux'
import { MappedRegisters } from '../registers/share.ts'
import type { NvmeTransport } from '../transport.ts'
import { VfioDmaMemory } from './dma-memory.ts'
import { VfioInterrupts } from './interrupts.ts'

/** BAR 0 and the lower half of BAR 1 are the controller's registers (NVMe over PCIe 1.0, section 3.1). */
const REGISTERS = 0

/**
 * Opens an NVMe controller that is bound to vfio-pci. It may do DMA from now on, and only to what `memory` maps.
 *
 * @param address domain, bus, device and function: `0000:00:04.0`
 * @throws ENODEV for an address without a device or a device of another class; EBUSY when the kernel's driver, a mounted file system or
 * another process has it, with what to do; ENOTSUP without an IOMMU or VFIO; EACCES, EPERM; ENOMEM at the limit of locked memory
 */
export function openVfioTransport(address: string): NvmeTransport {
  requireNvme(address)
  const device = openVfioDevice(address)
  try {
    return transportOf(device)
  } catch (error) {
    device.close()
    throw error
  }
}

function transportOf(device: VfioDevice): NvmeTransport {
  const { address } = device.pci
  const bar = device.mapBar(REGISTERS)
  device.setBusMaster(true)
  return {
    name: address,
    registers: new MappedRegisters(bar.buffer),
    share: { kind: 'mapped', address: bar.address, byteLength: bar.length },
    memory: new VfioDmaMemory(device.container, address),
    interrupts: new VfioInterrupts(device.vectors),
    ...(device.canReset
      ? {
          reset() {
            device.reset()
            // A reset takes bus mastering away.
            device.setBusMaster(true)
          },
        }
      : {}),
    close: () => device.close(),
  }
}

function requireNvme(address: string): void {
  const { classCode } = readPciDevice(address)
  if (classCode === PCI_CLASS_NVME) return
  const others = listPciDevices(PCI_CLASS_NVME).map((device) => device.address)
  const hex = (code: number) => code.toString(16).padStart(6, '0')
  throw new ParakernelError(
    'ENODEV',
    `is a device of PCI class ${hex(classCode)}, and NVMe is ${hex(PCI_CLASS_NVME)}`,
    {
      subject: address,
      remedy:
        others.length === 0 ? 'This machine has no NVMe controller' : `NVMe controllers here: ${others.join(', ')}`,
    },
  )
}

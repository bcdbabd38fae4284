import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { blockDeviceUse } from '../block/users.ts'
import { PCI_DEVICES } from './pci.ts'

/**
 * What the system does with the block devices of a PCI device: `nvme0n1 is mounted on /srv`, `nvme0n1p2 is swap space`. Empty when taking
 * it away from its driver harms nothing that can be seen from here.
 */
export function blockUsers(address: string): string[] {
  return blockNodes(join(PCI_DEVICES, address)).flatMap(({ name, device }) => {
    const use = blockDeviceUse(device)
    return use === undefined ? [] : [`${name} is ${use}`]
  })
}

interface BlockNode {
  readonly name: string
  /** `dev_t`, as stat(2) gives it. */
  readonly device: number
}

/** Disks and their partitions below a device of sysfs. A controller's folder holds its namespaces two or three levels down. */
function blockNodes(folder: string, depth = 4): BlockNode[] {
  const found: BlockNode[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const child = join(folder, entry.name)
    // A partition or a disk has a size and a number; other nodes lack one of them.
    if (existsSync(join(child, 'size')) && existsSync(join(child, 'dev'))) {
      const [major = 0, minor = 0] = readFileSync(join(child, 'dev'), 'latin1').trim().split(':').map(Number)
      // Twelve bits of the major number between the lower eight and the other bits of the minor one.
      found.push({ name: entry.name, device: Math.floor(minor / 256) * 2 ** 20 + major * 256 + (minor % 256) })
    }
    if (depth > 1) found.push(...blockNodes(child, depth - 1))
  }
  return found
}

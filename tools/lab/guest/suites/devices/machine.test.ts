import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { listPciDevices, PCI_CLASS_NVME } from '@parakernel/linux'
import { describe, expect, test } from 'vitest'

describe('the machine', () => {
  test('runs the Node of the project, as root', () => {
    expect(process.versions.node.split('.')[0]).toBe('24')
    expect(process.getuid?.()).toBe(0)
  })

  test('has each NVMe controller in an IOMMU group of its own', () => {
    const controllers = listPciDevices(PCI_CLASS_NVME)
    expect(controllers.length).toBe(2)
    expect(new Set(controllers.map(({ iommuGroup }) => iommuGroup)).size).toBe(2)
    expect(controllers[0]?.iommuGroup).toBeDefined()
  })

  test('has character devices of the namespaces, and persistent memory', () => {
    expect(readdirSync('/dev').some((name) => /^ng\d+n\d+$/.test(name))).toBe(true)
    expect(existsSync('/dev/pmem0')).toBe(true)
    expect(readFileSync('/proc/cmdline', 'utf8')).toContain('intel_iommu=on')
  })
})

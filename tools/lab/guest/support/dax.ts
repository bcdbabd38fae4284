import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'

const NVDIMM = '/sys/bus/nd'
export const DAX_DEVICE = 'pmem0'
const MOUNT_POINT = '/mnt/dax'

/**
 * A folder on a DAX file system. The NVDIMM appears in raw mode, without DAX: its namespace becomes an fsdax one, as ndctl
 * would do it, and gets an ext4 of its own.
 */
export function daxFolder(): string {
  if (existsSync(MOUNT_POINT)) return MOUNT_POINT
  const write = (path: string, text: string) => writeFileSync(`${NVDIMM}/${path}`, text)
  if (!readdirSync(`${NVDIMM}/drivers/nd_pmem`).some((name) => name.startsWith('pfn0.'))) {
    write('devices/namespace0.0/driver/unbind', 'namespace0.0')
    write('devices/pfn0.0/uuid', '6b1f2c1e-8f2d-4f8a-9d5a-3c2f4b7d9e10')
    write('devices/pfn0.0/align', '2097152')
    write('devices/pfn0.0/mode', 'pmem')
    write('devices/pfn0.0/namespace', 'namespace0.0')
    write('drivers/nd_pmem/bind', 'pfn0.0')
  }
  execFileSync('mkfs.ext4', ['-F', '-q', '-b', '4096', `/dev/${DAX_DEVICE}`])
  mkdirSync(MOUNT_POINT)
  execFileSync('mount', ['-t', 'ext4', '-o', 'dax', `/dev/${DAX_DEVICE}`, MOUNT_POINT])
  return MOUNT_POINT
}

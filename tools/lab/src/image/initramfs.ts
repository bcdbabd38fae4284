import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import { CpioWriter } from './cpio.ts'
import type { Kernel } from './debian.ts'
import { librariesOf } from './libraries.ts'
import { moduleClosure } from './modules.ts'
import { findProgram } from './programs.ts'

/** Of the first file system; a cached one of another layout is not used. */
const LAYOUT = '1'

const MODULES = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'veth',
  'vfio_iommu_type1',
  'vfio_pci',
  'nfit',
  'nd_pmem',
  'loop',
  'tun',
]

/** From busybox; each a link to it. */
const APPLETS =
  'cat cp cut date dd dmesg echo env false find grep head hexdump insmod kill ln losetup ls lsmod mkdir mknod mount mv od poweroff ps rm rmdir sed seq sh sleep sort stty sync tail tar test timeout touch tr true umount uname wc xargs'

/** Debian packages that hold what goes in, by program. */
const PROGRAMS: Readonly<Record<string, string>> = {
  busybox: 'busybox-static',
  ip: 'iproute2',
  'mkfs.ext4': 'e2fsprogs',
}

/**
 * The first file system: Node, a shell, a few programs, their libraries and the modules. It changes only with the machine it is
 * built on, so it stays in the cache; what is to be tested comes as a disk of its own. Returns the file.
 * @throws ENOENT naming the package to install
 */
export function buildInitramfs(cache: string, kernel: Kernel): string {
  const init = new URL('init.sh', import.meta.url)
  const programs = Object.entries(PROGRAMS).map(([name, debian]) => {
    const path = findProgram(name)
    if (path !== undefined) return { name, path }
    throw new ParakernelError('ENOENT', 'is not installed', { subject: name, remedy: `Install the package ${debian}` })
  })
  const identity = [LAYOUT, kernel.release, readFileSync(init, 'utf8'), MODULES.join(), APPLETS, process.version]
  for (const path of [process.execPath, ...programs.map((program) => program.path)]) {
    const { size, mtimeMs } = statSync(path)
    identity.push(`${path} ${size} ${mtimeMs}`)
  }
  const folder = join(cache, 'initramfs')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${createHash('sha256').update(identity.join('\n')).digest('hex').slice(0, 20)}.cpio`)
  if (existsSync(file)) return file

  const cpio = new CpioWriter()
  for (const name of ['proc', 'sys', 'dev']) cpio.directory(name)
  cpio.device('dev/console', 5, 1)
  cpio.file('init', readFileSync(init), 0o755)
  const add = (name: string, path: string) => {
    cpio.file(name, readFileSync(path), 0o755)
    for (const library of librariesOf(path)) cpio.file(library.slice(1), readFileSync(library), 0o755)
  }
  add('bin/node', process.execPath)
  for (const { name, path } of programs) add(`bin/${name}`, path)
  for (const applet of APPLETS.split(' ')) cpio.link(`bin/${applet}`, 'busybox')
  // mkfs reads which features are the default; without it, the ones it was built with hold.
  if (existsSync('/etc/mke2fs.conf')) cpio.file('etc/mke2fs.conf', readFileSync('/etc/mke2fs.conf'))
  const modules = moduleClosure(join(kernel.modules, 'kernel'), MODULES)
  for (const { name, data } of modules) cpio.file(`modules/${name}.ko`, data)
  cpio.file('modules/order', `${modules.map(({ name }) => name).join('\n')}\n`)

  const partial = `${file}.${process.pid}`
  const descriptor = openSync(partial, 'w')
  for (const chunk of cpio.end()) writeSync(descriptor, chunk)
  closeSync(descriptor)
  renameSync(partial, file)
  // Those of other kernels and other versions of Node.
  for (const other of readdirSync(folder)) {
    const path = join(folder, other)
    if (path !== file && Date.now() - statSync(path).mtimeMs > 7 * 86_400_000) rmSync(path, { force: true })
  }
  return file
}

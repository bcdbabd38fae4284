import { existsSync } from 'node:fs'
import { findProgram } from '../image/programs.ts'

/** What a machine needs of this one, as Debian packages; all are in tools/setup. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  'mkfs.ext4': 'e2fsprogs',
  ip: 'iproute2',
  tar: 'tar',
  'dpkg-deb': 'dpkg',
  'apt-get': 'apt',
}

/** Why no machine can be started here; undefined when one can, as far as can be seen without trying. */
export function labMissing(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `the lab's kernel and programs are for Linux on x64, and this is ${process.platform} on ${process.arch}`
  }
  const missing = Object.keys(PROGRAMS).filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) {
    const packages = missing.map((name) => PROGRAMS[name]).join(' ')
    return `the lab needs ${missing.join(', ')}: install ${packages}, or run tools/setup/system-packages.sh`
  }
  return existsSync('/etc/debian_version')
    ? undefined
    : "the lab's kernel comes from a Debian archive, and this is not Debian"
}

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'

/**
 * Debian's kernel for virtual machines; this package depends on the newest version, and only that stays in the archive.
 * `PARAKERNEL_LAB_KERNEL` names another package, such as one of a newer series.
 */
const { PARAKERNEL_LAB_KERNEL: PACKAGE = 'linux-image-cloud-amd64' } = process.env

export interface Kernel {
  /** `6.1.0-56-cloud-amd64`: of `uname -r`. */
  readonly release: string
  readonly image: string
  /** The folder with the modules of that release. */
  readonly modules: string
}

/**
 * Debian's stock kernel, downloaded and unpacked into the cache when it is not there yet. Without an archive in reach the
 * newest kernel of the cache serves.
 * @throws ENOENT with the remedy when there is neither
 */
export function fetchKernel(cache: string): Kernel {
  const kernels = join(cache, 'kernels')
  mkdirSync(kernels, { recursive: true })
  let cause: unknown
  // Package lists that are old name a version that the archive no longer has.
  for (const refresh of [false, true]) {
    if (refresh && !updateLists()) break
    try {
      const name = newestKernelPackage()
      const folder = join(kernels, name)
      if (!existsSync(folder)) download(name, folder)
      return kernelIn(folder)
    } catch (error) {
      cause = error
    }
  }
  const cached = readdirSync(kernels).filter((entry) => entry.startsWith('linux-image-'))
  const last = cached.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (last !== undefined) return kernelIn(join(kernels, last))
  throw new ParakernelError('ENOENT', `cannot be downloaded (${complaintOf(cause)}), and none is in the cache`, {
    subject: `kernel package ${PACKAGE}`,
    remedy: 'Run `apt-get update` as root, and check that the archive is in reach; a Debian system is needed',
    cause,
  })
}

/** What apt says in the end, or whatever else went wrong. */
function complaintOf(cause: unknown): string {
  const { stderr, message } = cause as { stderr?: Buffer; message: string }
  return stderr?.toString().match(/^E: .*/m)?.[0] ?? message
}

/** Only root may. */
function updateLists(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore', timeout: 60_000 })
    return true
  } catch {
    return false
  }
}

function newestKernelPackage(): string {
  if (/^linux-image-\d+\.\d+\.\d/.test(PACKAGE)) return PACKAGE
  const said = execFileSync('apt-cache', ['depends', PACKAGE], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const name = /Depends: (linux-image-\S+)/.exec(said)?.[1]
  if (name === undefined) throw new Error(`apt-cache knows no kernel that ${PACKAGE} depends on`)
  return name
}

/** Through a folder of its own, renamed at the end, so that an interrupted run leaves nothing that looks complete. */
function download(name: string, folder: string): void {
  const partial = mkdtempSync(`${folder}.part-`)
  try {
    execFileSync('apt-get', ['download', '-q', name], {
      cwd: partial,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 120_000,
    })
    const deb = readdirSync(partial).find((file) => file.endsWith('.deb'))
    if (deb === undefined) throw new Error(`apt-get download left no package of ${name}`)
    execFileSync('dpkg-deb', ['--extract', join(partial, deb), partial])
    rmSync(join(partial, deb))
    renameSync(partial, folder)
    forgetOthers(folder)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    // Another run may have been faster.
    if (!existsSync(folder)) throw error
  }
}

/** A kernel that the archive has replaced by another of the same series is of no use; 130 MB each. */
function forgetOthers(folder: string): void {
  const kernels = dirname(folder)
  const series = /^linux-image-\d+\.\d+(?!\d)/.exec(basename(folder))?.[0]
  for (const name of readdirSync(kernels)) {
    const same = series !== undefined && name.startsWith(`${series}.`)
    if (same && name !== basename(folder)) rmSync(join(kernels, name), { recursive: true, force: true })
  }
}

function kernelIn(folder: string): Kernel {
  const image = readdirSync(join(folder, 'boot')).find((file) => file.startsWith('vmlinuz-'))
  if (image === undefined) throw new Error(`${folder} holds no kernel`)
  const release = image.slice('vmlinuz-'.length)
  const merged = join(folder, 'usr', 'lib', 'modules', release)
  const modules = existsSync(merged) ? merged : join(folder, 'lib', 'modules', release)
  return { release, image: join(folder, 'boot', image), modules }
}

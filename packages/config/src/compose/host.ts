import { type Host, ParakernelError } from '@parakernel/hal'
import { installCommand, resolvePackage } from '../registry/resolve-package.ts'

/** The door to the host, and the module by which other threads open theirs. */
export interface HostDoor {
  readonly host: Host | undefined
  readonly module: string | undefined
}

const LINUX = '@parakernel/linux'

/** Opens what the setting `host` names. `auto` goes without where there is none, and says so where one should work. */
export async function openHost(
  setting: string,
  application: string,
  warn: (message: string) => void,
): Promise<HostDoor> {
  if (setting === 'none' || (setting === 'auto' && process.platform !== 'linux')) return NO_HOST
  const specifier = setting === 'auto' ? LINUX : setting
  const module = resolvePackage(specifier, application)
  if (module === undefined) {
    if (setting === 'auto') return NO_HOST
    throw new ParakernelError('ENOENT', `${specifier} is not installed`, {
      subject: 'host',
      remedy: installCommand(specifier, application),
    })
  }
  try {
    const { host } = (await import(/* @vite-ignore */ module)) as { host?: Host }
    if (host === undefined) throw new Error('it has no export "host"')
    host.cpus()
    return { host, module }
  } catch (cause) {
    const why = `${specifier} does not work here: ${cause instanceof Error ? cause.message : cause}`
    if (setting !== 'auto') throw new ParakernelError('ENOSYS', why, { subject: 'host', cause })
    warn(`${why}; going on without pinned cores and without sleep on descriptors`)
    return NO_HOST
  }
}

const NO_HOST: HostDoor = { host: undefined, module: undefined }

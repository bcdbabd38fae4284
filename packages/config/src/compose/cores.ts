import { type Host, ParakernelError } from '@parakernel/hal'

/** The core of each partition, undefined where the scheduler shall choose. @throws EINVAL, ENOSYS */
export function assignCores(
  setting: readonly number[] | 'auto' | 'none',
  partitions: number,
  host: Host | undefined,
): readonly (number | undefined)[] {
  const none = new Array<undefined>(partitions).fill(undefined)
  if (setting === 'none') return none
  if (setting === 'auto') {
    // The first core is left to the control thread. Two spinning partitions on one core would stop each other.
    const cores = host?.cpus().slice(1, partitions + 1) ?? []
    return cores.length === partitions ? cores : none
  }
  if (host === undefined) {
    throw new ParakernelError('ENOSYS', 'cores cannot be pinned without a host', {
      subject: 'cpus',
      remedy: 'Install @parakernel/linux, or set cpus to "none"',
    })
  }
  const allowed = host.cpus()
  const wrong = setting.find((core) => !allowed.includes(core))
  if (wrong !== undefined) {
    throw new ParakernelError('EINVAL', `core ${wrong} is not one that this process may use`, {
      subject: 'cpus',
      remedy: `Choose from ${allowed.join(', ')}`,
    })
  }
  return setting.slice(0, partitions)
}

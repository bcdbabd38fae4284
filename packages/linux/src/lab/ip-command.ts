import { execFileSync } from 'node:child_process'
import { type Availability, ParakernelError, reasonOf } from '@parakernel/hal'
import { missingCapabilities } from '../capability.ts'
import { foreign } from '../ffi/foreign.ts'

/** Runs `ip` once per line of `commands` in one process. Throws EIO with what it printed when a line fails. */
export function ip(commands: readonly string[], namespace?: string): void {
  const where = namespace === undefined ? [] : ['-n', namespace]
  try {
    execFileSync('ip', [...where, '-batch', '-'], {
      input: `${commands.join('\n')}\n`,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  } catch (cause) {
    const printed = (cause as { stderr?: Buffer }).stderr?.toString().trim() ?? String(cause)
    throw new ParakernelError('EIO', `ip failed: ${printed}`, { subject: commands.join('; '), cause })
  }
}

/** Whether this machine can build veth pairs and namespaces, and what it lacks. */
export function probeLab(): Availability {
  try {
    foreign()
  } catch (error) {
    const { remedy = 'Use a Linux machine' } = error as ParakernelError
    return { available: false, missing: reasonOf(error as ParakernelError), remedy }
  }
  const missing = missingCapabilities('CAP_NET_ADMIN', 'CAP_SYS_ADMIN')
  if (missing.length > 0) return { available: false, missing: missing.join(' and '), remedy: 'Run as root' }
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' })
  } catch {
    return { available: false, missing: 'the ip command', remedy: 'Install iproute2' }
  }
  return { available: true }
}

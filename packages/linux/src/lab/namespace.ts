import { execFileSync } from 'node:child_process'
import { ParakernelError } from '@parakernel/hal'
import { inNamespace } from '../interface/namespace.ts'
import { ip, probeLab } from './ip-command.ts'
import { forget, labName, removePair, removeStale, tearDownAtExit } from './lifetime.ts'

export interface LabNamespaceOptions {
  /** Part of the name, 1 to 4 of a-z and 0-9; a process that makes several gives each its own. Default `lab`. */
  readonly label?: string
}

/** A network namespace of our own, where a plain Linux lives. Its loopback interface is up. */
export interface LabNamespace {
  readonly namespace: string
  /** Runs `body` inside the namespace: sockets that it opens belong there. Synchronous only. */
  inside<T>(body: () => T): T
  /** The command line that runs a program inside the namespace. */
  command(...program: string[]): [file: string, args: string[]]
  /** Runs a program inside the namespace to its end and returns what it printed. Throws when it fails. */
  run(...program: string[]): string
  /** Runs `ip` once for each line, in one process. Throws EIO with what it printed. */
  ip(...lines: string[]): void
  /** Removes the namespace with all that is in it. Idempotent. */
  remove(): void
  [Symbol.dispose](): void
}

/**
 * Makes a namespace. It is removed when the process ends, by exit or by signal; after a crash, by the next call in any process.
 * Throws EPERM when the machine or the process cannot, EEXIST when this process has one of that label.
 */
export function createLabNamespace({ label = 'lab' }: LabNamespaceOptions = {}): LabNamespace {
  const possible = probeLab()
  if (!possible.available) {
    throw new ParakernelError('EPERM', `a lab needs ${possible.missing}`, {
      subject: `lab ${label}`,
      remedy: possible.remedy,
    })
  }
  removeStale()
  const namespace = labName(label)
  const remove = () => {
    if (forget(namespace)) removePair(namespace)
  }
  ip([`netns add ${namespace}`])
  tearDownAtExit(namespace)
  try {
    ip(['link set lo up'], namespace)
  } catch (error) {
    remove()
    throw error
  }
  const command = (...program: string[]): [string, string[]] => ['ip', ['netns', 'exec', namespace, ...program]]
  return {
    namespace,
    inside: (body) => inNamespace(namespace, body),
    command,
    run: (...program) => execFileSync(...command(...program), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    ip: (...lines) => ip(lines, namespace),
    remove,
    [Symbol.dispose]: remove,
  }
}

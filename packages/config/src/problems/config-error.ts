import { ParakernelError } from '@parakernel/hal'
import type { Origin } from '../settings/resolved.ts'

/** One thing that is wrong with a config. */
export interface Problem {
  readonly kind: 'unknown-key' | 'wrong-value' | 'missing' | 'not-installed' | 'unreadable'
  /** `network.queues`; a file's name when the file itself is at fault. */
  readonly path: string
  /** What was found, what is allowed, and the nearest name if it looks like a slip. */
  readonly message: string
  readonly origin?: Origin | undefined
}

const brand = Symbol.for('parakernel.config-error')

/** A config that cannot be used: all of its problems at once, found before anything was started. Code EINVAL. */
export class ConfigError extends ParakernelError {
  readonly problems: readonly Problem[]
  readonly [brand] = true

  constructor(problems: readonly Problem[]) {
    const lines = problems.map((problem) => `\n  ${formatProblem(problem)}`).join('')
    super('EINVAL', `${problems.length === 1 ? 'one problem' : `${problems.length} problems`}, nothing was started`, {
      subject: 'config',
      remedy: `Correct and start again:${lines}`,
    })
    this.name = 'ConfigError'
    this.problems = problems
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}

export function formatProblem({ path, message, origin }: Problem): string {
  return `${path}: ${message}${origin === undefined ? '' : ` [${formatOrigin(origin)}]`}`
}

/** `--backend`, `environment PARAKERNEL_PARTITIONS`, `file parakernel.config.ts`, `preset host`, `default of @parakernel/net`. */
export function formatOrigin({ layer, name }: Origin): string {
  if (layer === 'flag') return name
  if (layer === 'default' && name !== '') return `default of ${name}`
  return `${layer} ${name}`.trim()
}

/** A value as it stands in an error: JSON, cut to a length that a line can take. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text =
    typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint'
      ? String(value)
      : (JSON.stringify(value) ?? String(value))
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return typeof value === 'object' && value !== null ? short : `${short} (${typeof value})`
}

/** `a, b or c`. */
export function listOf(names: Iterable<string>): string {
  const all = [...names]
  if (all.length < 2) return all.join('')
  return `${all.slice(0, -1).join(', ')} or ${all[all.length - 1]}`
}

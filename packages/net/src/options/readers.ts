import { type OptionSpecs, ParakernelError } from '@parakernel/hal'

const MILLISECOND = 1e6

/** Reads options by their specs: fills in defaults, and checks type and range. Every call throws EINVAL that names the option. */
export class OptionReader {
  readonly #options: Readonly<Record<string, unknown>>
  readonly #specs: OptionSpecs

  /** @throws EINVAL for an option that is none */
  constructor(options: object, specs: OptionSpecs) {
    this.#options = options as Readonly<Record<string, unknown>>
    this.#specs = specs
    for (const key of Object.keys(options)) {
      if (!(key in specs)) throw invalidOption(key, 'there is no such option')
    }
  }

  /** The value as it stands, or the default. */
  raw(key: string): unknown {
    return this.#options[key] ?? this.#specs[key].default
  }

  number(key: string): number {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, type } = this.#specs[key]
    const value = this.raw(key)
    const right = typeof value === 'number' && value >= min && value <= max
    if (!right || (type === 'integer' && !Number.isInteger(value))) {
      const what = type === 'integer' ? 'an integer' : 'a number'
      throw invalidOption(key, `${String(value)} is not ${what} from ${min} to ${max}`)
    }
    return value
  }

  /** Milliseconds, in nanoseconds. */
  time(key: string): number {
    return this.number(key) * MILLISECOND
  }

  choice<T extends string>(key: string): T {
    const { values = [] } = this.#specs[key]
    const value = this.raw(key) as T
    if (!values.includes(value)) throw invalidOption(key, `${JSON.stringify(value)} is not one of ${values.join(', ')}`)
    return value
  }

  boolean(key: string): boolean {
    const value = this.raw(key)
    if (typeof value !== 'boolean') throw invalidOption(key, `${String(value)} is not true or false`)
    return value
  }

  text(key: string): string | undefined {
    const value = this.raw(key)
    if (value === undefined || typeof value === 'string') return value
    throw invalidOption(key, `${String(value)} is not a text`)
  }

  texts(key: string): readonly string[] {
    const value = this.raw(key) ?? []
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw invalidOption(key, `${JSON.stringify(value)} is not a list of texts`)
  }
}

export function invalidOption(key: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `net option ${key}` })
}

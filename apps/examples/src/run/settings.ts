import type { OptionSpecs } from '@parakernel/hal'

/** Settings of every example, beside its own. */
export const COMMON_SETTINGS: OptionSpecs = {
  run: {
    type: 'string',
    values: ['workers', 'inline', 'virtual'],
    default: 'workers',
    description: 'each end in a thread of its own, all in one thread, or all in one thread on a virtual clock',
  },
  port: {
    type: 'integer',
    min: 1,
    max: 65_000,
    default: 7777,
    description: 'port of the first end; the next ones follow',
  },
  end: { type: 'string[]', description: 'the ends that this process runs; all of them when absent' },
  at: {
    type: 'string[]',
    description: 'where the ends are that run elsewhere',
    form: { example: 'server=10.0.0.1', pattern: /^[a-z]+=[0-9a-fA-F.:]+$/ },
  },
  peer: {
    type: 'object',
    description: 'network of the ends beyond the first, as JSON; like the first one, at the next address, when absent',
  },
}

export interface CommonSettings {
  readonly run: 'workers' | 'inline' | 'virtual'
  readonly port: number
  readonly end?: readonly string[]
  readonly at?: readonly string[]
  readonly peer?: Readonly<Record<string, unknown>>
}

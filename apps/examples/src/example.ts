import type { Config } from '@parakernel/config'
import type { OptionSpecs } from '@parakernel/hal'

/** One end of an example: the module `<example>/<end>.ts`, whose `partition` runs it. */
export interface ExampleEnd {
  readonly name: string
  /** It does its work when all ends are there, and is then done; the others serve until it is. */
  readonly acts?: boolean
  /** It ends by a crash, after its report. */
  readonly crashes?: boolean
}

export interface Example {
  readonly name: string
  /** Goes behind the name: `sends back what it gets`. */
  readonly summary: string
  /** The first one stands on the network of the config, the others at the other end of it. */
  readonly ends: readonly ExampleEnd[]
  /** Its ends run one after the other, each on what the one before has left; otherwise all at once. */
  readonly inTurn?: boolean
  readonly settings: OptionSpecs
  /** Beside the defaults that every example has. */
  readonly defaults?: Config
}

/** One figure, or one (`value`) with details beside it. Details are shown and recorded. */
export type Measurement = number | { readonly value: number; readonly [detail: string]: number }

/** Prepares and measures; its process ends after it. Throws when what it measured is wrong. */
export type BenchCase = () => Measurement | Promise<Measurement>

/** What holds for all cases of a bench file. */
export interface BenchHeading {
  readonly title: string
  readonly unit: string
  readonly better: 'less' | 'more'
  /** The case that the others are divided by: one for all, or one for each. */
  readonly baseline?: string | ((name: string) => string | undefined)
  /** Details that are divided by the baseline's too. */
  readonly compare?: readonly string[]
  /** What this machine lacks to run a case, and the remedy; undefined when it can run. */
  readonly unavailable?: (name: string) => string | undefined
}

/** What a bench file prints at `--list`. */
export interface BenchList {
  readonly title: string
  readonly unit: string
  readonly better: 'less' | 'more'
  readonly compare: readonly string[]
  readonly cases: readonly { readonly name: string; readonly baseline?: string; readonly unavailable?: string }[]
}

/** What it prints at `--case`. */
export interface CaseOutput {
  readonly value: number
  readonly details: Readonly<Record<string, number>>
}

/** The Content-Type of the text format of Prometheus. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string | number>>

/**
 * Writes the text format of Prometheus (exposition format 0.0.4). prom-client is made for values that it counts itself: it can
 * take neither a counter nor a histogram that has been counted elsewhere, as ours are in shared memory.
 */
export class Exposition {
  readonly #families = new Map<string, { readonly head: string; readonly samples: string[] }>()

  /** @param name ends in `_total` */
  counter(name: string, help: string, labels: Labels, value: number): void {
    this.#sample(name, 'counter', help, name, labels, value)
  }

  gauge(name: string, help: string, labels: Labels, value: number): void {
    this.#sample(name, 'gauge', help, name, labels, value)
  }

  /** @param buckets how many values lay at or under each upper end, and over the one before it; the ends rise */
  histogram(
    name: string,
    help: string,
    labels: Labels,
    buckets: readonly { readonly end: number; readonly count: number }[],
    sum: number,
  ): void {
    let total = 0
    for (const { end, count } of buckets) {
      total += count
      this.#sample(name, 'histogram', help, `${name}_bucket`, { ...labels, le: number(end) }, total)
    }
    if (buckets.at(-1)?.end !== Infinity) {
      this.#sample(name, 'histogram', help, `${name}_bucket`, { ...labels, le: '+Inf' }, total)
    }
    this.#sample(name, 'histogram', help, `${name}_sum`, labels, sum)
    this.#sample(name, 'histogram', help, `${name}_count`, labels, total)
  }

  /** The samples of one metric lie together, in the order in which they came. */
  toString(): string {
    return [...this.#families.values()].map(({ head, samples }) => head + samples.join('')).join('')
  }

  #sample(family: string, type: string, help: string, name: string, labels: Labels, value: number): void {
    let found = this.#families.get(family)
    if (found === undefined) {
      found = { head: `# HELP ${family} ${escapeHelp(help)}\n# TYPE ${family} ${type}\n`, samples: [] }
      this.#families.set(family, found)
    }
    const list = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`)
    found.samples.push(`${name}${list.length === 0 ? '' : `{${list.join(',')}}`} ${number(value)}\n`)
  }
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}

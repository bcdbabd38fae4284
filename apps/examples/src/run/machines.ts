import { type ComposeOptions, compose, type Machine } from '@parakernel/config'
import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import type { End } from '../end.ts'
import type { Example } from '../example.ts'
import type { Place } from './places.ts'
import type { CommonSettings } from './settings.ts'

/** Starts the machines of an example's ends: in threads of their own, in this one, or in this one on a virtual clock. */
export class Machines {
  readonly #example: Example
  readonly #ends: End['ends']
  readonly #where: Pick<ComposeOptions, 'inline' | 'loop'>
  readonly #machines: Machine[] = []

  constructor(example: Example, places: readonly Place[], run: CommonSettings['run']) {
    this.#example = example
    this.#ends = Object.fromEntries(places.map(({ end, here }) => [end.name, here]))
    if (run === 'virtual') {
      const loop = new RunLoop({ clock: new VirtualClock() })
      loop.start('guest')
      this.#where = { loop }
    } else this.#where = { inline: run === 'inline' }
  }

  async start({ end, here, config }: Place & { readonly config: NonNullable<Place['config']> }): Promise<Machine> {
    const data: End = { settings: config.settings.app, here, ends: this.#ends }
    // From `src` and from `dist` alike; `compose` finds the `.ts` where that is all there is.
    const partition = new URL(`${ROOT}${this.#example.name}/${end.name}.js`, import.meta.url)
    const machine = await compose(config, { name: end.name, partition, data, signals: false, ...this.#where })
    this.#machines.push(machine)
    return machine
  }

  async stop(): Promise<void> {
    for (const machine of this.#machines.splice(0).reverse()) await machine.stop()
    this.#where.loop?.stop()
  }
}

const ROOT = import.meta.url.endsWith('.ts') ? '../' : './'

import { MacTable } from '../switch/mac-table.ts'
import { PORT_COUNT } from './layout.ts'
import { NetworkMemory, type NetworkReference } from './network-memory.ts'
import { PortView } from './port-view.ts'
import { WakeDirectory } from './wake-directory.ts'

/** A network as one thread sees it, shared by all queues of the thread. */
export class NetworkView {
  readonly memory: NetworkMemory
  readonly macTable: MacTable
  readonly wakes: WakeDirectory
  readonly ports: PortView[] = []
  /** Some link takes time: packets have arrival times, and are not to be seen before. */
  timed = false
  /** Transmitters must read the clock: for arrival times, time stamps, or to let addresses age. */
  clocked = false
  #epoch = -1
  readonly #control: boolean

  constructor(memory: NetworkMemory, wakes: WakeDirectory, control: boolean) {
    this.memory = memory
    this.macTable = new MacTable(memory)
    this.wakes = wakes
    this.#control = control
  }

  /** Decodes the registers when something changed since the last call. */
  refresh(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    if (!this.#control) this.wakes.update()
    const { memory, ports } = this
    const count = memory.words[PORT_COUNT]
    while (ports.length < count) ports.push(new PortView(ports.length, memory.layout.maxQueues))
    this.timed = false
    let stamps = false
    for (const port of ports) {
      port.decode(memory)
      if (!port.present) continue
      if (port.timed) this.timed = true
      if (port.stamps) stamps = true
    }
    this.clocked = this.timed || stamps || memory.reference.agingMs > 0
  }
}

const views = new Map<string, { view: NetworkView; users: number }>()

/** The control thread's view, which its own queues share. */
export function registerView(view: NetworkView): void {
  views.set(view.memory.reference.id, { view, users: 1 })
}

/** The calling thread's view of a network; made on first use. Each call is paid back by {@link releaseView}. */
export function acquireView(reference: NetworkReference, known: ReturnType<WakeDirectory['notices']>): NetworkView {
  let entry = views.get(reference.id)
  if (entry === undefined) {
    const memory = new NetworkMemory(reference)
    entry = { view: new NetworkView(memory, WakeDirectory.ofWorker(reference.id, known), false), users: 0 }
    views.set(reference.id, entry)
  }
  entry.users++
  return entry.view
}

export function releaseView(view: NetworkView): void {
  const { id } = view.memory.reference
  const entry = views.get(id)
  if (entry === undefined || --entry.users > 0) return
  views.delete(id)
  view.wakes.close()
}

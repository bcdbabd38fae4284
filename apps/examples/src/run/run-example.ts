import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadOptions, Machine, ResolvedConfig } from '@parakernel/config'
import { ParakernelError } from '@parakernel/hal'
import type { Report } from '../end.ts'
import type { Example } from '../example.ts'
import { Machines } from './machines.ts'
import { type Place, placesOf } from './places.ts'
import type { CommonSettings } from './settings.ts'
import type { Terminal } from './terminal.ts'

type PlaceHere = Place & { readonly config: ResolvedConfig }

/** Milliseconds between live lines, and between looks at what an end that serves has said. */
const PERIOD = 200

/**
 * Runs the ends of an example that belong to this process, and prints what they have to tell, in the order of the ends. Without an
 * end that acts it serves until `interrupt`.
 */
export async function runExample(
  example: Example,
  config: ResolvedConfig,
  program: LoadOptions,
  terminal: Terminal,
  interrupt: AbortSignal,
): Promise<void> {
  const places = await placesOf(example, config, program)
  const here = places.filter((place): place is PlaceHere => place.config !== undefined)
  const { run } = config.settings.app as unknown as CommonSettings
  const machines = new Machines(example, places, run)
  terminal.note(`${example.name}: ${here.map((place) => describe(example, place)).join('; ')}`)
  const began = performance.now()
  try {
    if (example.inTurn === true) await inTurn(here, machines, terminal, interrupt)
    else await together(here, machines, terminal, interrupt)
  } finally {
    await machines.stop()
  }
  terminal.note(`${example.name}: done in ${((performance.now() - began) / 1000).toFixed(2)} s`)
}

function describe({ inTurn }: Example, { end, here, config: { settings } }: PlaceHere): string {
  const { libos, backend } = (inTurn === true ? settings.storage : undefined) ?? settings.network
  const where = inTurn === true ? '' : ` at ${here.address}`
  return `${end.name}${where} on ${backend === undefined ? libos : `${libos} over ${backend}`}`
}

async function together(
  places: readonly PlaceHere[],
  machines: Machines,
  terminal: Terminal,
  interrupt: AbortSignal,
): Promise<void> {
  const running: { readonly place: PlaceHere; readonly machine: Machine }[] = []
  for (const place of places) running.push({ place, machine: await machines.start(place) })
  const died = Promise.race(running.map(({ machine }) => failure(machine)))
  died.catch(() => {})
  const active = running.find(({ place }) => place.end.acts === true)
  const acted =
    active === undefined ? undefined : await Promise.race([act(active.machine, terminal), died, stopped(interrupt)])
  const shown = new Map<Machine, number>()
  if (active === undefined) {
    const names = places.map(({ end, here: { address, port } }) => `${end.name} at ${address}:${port}`)
    terminal.note(`serving: ${names.join(', ')}; Ctrl-C ends it`)
    while (!interrupt.aborted) {
      for (const { place, machine } of running) await showLines(place.end.name, machine, shown, terminal)
      await Promise.race([sleep(PERIOD, undefined, { signal: interrupt }).catch(() => {}), died])
    }
  }
  for (const { place, machine } of running) {
    const reports = machine === active?.machine ? [acted as Report] : await reportsOf(machine)
    for (const report of reports) terminal.report(place.end.name, report, shown.get(machine))
  }
}

/** One end after the other; each machine is stopped, or has crashed, before the next one starts. */
async function inTurn(
  places: readonly PlaceHere[],
  machines: Machines,
  terminal: Terminal,
  interrupt: AbortSignal,
): Promise<void> {
  for (const place of places) {
    const machine = await machines.start(place)
    const exited = machine.exited
    terminal.report(place.end.name, await Promise.race([act(machine, terminal), stopped(interrupt)]))
    if (place.end.crashes !== true) await machine.stop()
    else {
      await machine.call(0, 'crash')
      const exit = await exited
      if (exit.reason !== 'failed') throw new ParakernelError('EPROTO', 'did not crash', { subject: place.end.name })
      terminal.note(`  ${place.end.name}  ${exit.error.message}`)
    }
  }
}

async function act(machine: Machine, terminal: Terminal): Promise<Report> {
  const timer = setInterval(async () => {
    terminal.progress(`${machine.name}: ${await machine.call(0, 'progress').catch(() => '')}`)
  }, PERIOD)
  try {
    return await machine.call<Report>(0, 'run')
  } finally {
    clearInterval(timer)
  }
}

/** Rejects when a machine ends that nobody has stopped. */
async function failure(machine: Machine): Promise<never> {
  const exit = await machine.exited
  if (exit.reason === 'failed') throw exit.error
  return new Promise(() => {})
}

/** Rejects when the user has had enough. */
function stopped(interrupt: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = () => reject(new ParakernelError('ECANCELED', 'was interrupted before it was done'))
    if (interrupt.aborted) refuse()
    else interrupt.addEventListener('abort', refuse)
  })
}

function reportsOf(machine: Machine): Promise<Report[]> {
  return Promise.all(Array.from({ length: machine.partitions }, (_, i) => machine.call<Report>(i, 'report')))
}

/** The lines of a serving end while it serves; those of several partitions are left to the report. */
async function showLines(
  name: string,
  machine: Machine,
  shown: Map<Machine, number>,
  terminal: Terminal,
): Promise<void> {
  if (machine.partitions > 1) return
  const from = shown.get(machine) ?? 0
  const lines = await machine.call<readonly string[]>(0, 'lines', from)
  for (const line of lines) terminal.transcript(name, line)
  shown.set(machine, from + lines.length)
}

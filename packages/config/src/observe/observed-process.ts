import { sep } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { PIDS } from './machine-trace.ts'
import type { ObservedMachine } from './observed-machine.ts'
import type { ObserverStatistics, ProcessDescription, ProcessSnapshot } from './snapshot.ts'
import type { ChromeTrace } from './trace-events.ts'

/** The machines of a process that may be looked at, and what is counted about those who look. */
export class ObservedProcess {
  readonly counts: { -readonly [Name in keyof ObserverStatistics]: number } = {
    clients: 0,
    refused: 0,
    badRequests: 0,
    skipped: 0,
    dropped: 0,
  }
  readonly #clock = new MonotonicClock()
  readonly #machines = new Map<ObservedMachine, string | undefined>()
  readonly #listeners = new Set<() => void>()

  /** @param prometheus where the machine's `/metrics` is */
  add(machine: ObservedMachine, prometheus: string | undefined): void {
    const names = new Set([...this.#machines.keys()].map(({ name }) => name))
    const wanted = machine.name
    for (let i = 2; names.has(machine.name); i++) machine.name = `${wanted}#${i}`
    this.#machines.set(machine, prometheus)
    for (const listener of this.#listeners) listener()
  }

  remove(machine: ObservedMachine): void {
    if (!this.#machines.delete(machine)) return
    for (const listener of this.#listeners) listener()
  }

  /** Calls `listener` when machines come or go; returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  describe(): ProcessDescription {
    return {
      protocol: 1,
      pid: process.pid,
      program: programName(process.argv[1] ?? process.execPath),
      node: process.version,
      started: Math.round(performance.timeOrigin),
      machines: [...this.#machines].map(([machine, prometheus]) => machine.describe(prometheus)),
    }
  }

  snapshot(): ProcessSnapshot {
    return {
      time: Date.now(),
      clock: this.#clock.now(),
      machines: [...this.#machines.keys()].map((machine) => machine.snapshot()),
      observer: { ...this.counts },
    }
  }

  /** Records all machines that there are now, until `signal` is aborted. */
  async trace(signal: AbortSignal): Promise<ChromeTrace> {
    const machines = [...this.#machines.keys()]
    await Promise.all(machines.map(({ trace }) => trace.begin()))
    const since = this.#clock.now()
    await aborted(signal)
    const traceEvents = machines.flatMap(({ trace, name }, i) => trace.events(name, 1 + i * PIDS, since))
    const overwritten = machines.reduce((sum, { trace }) => sum + trace.overwritten, 0)
    await Promise.all(machines.map(({ trace }) => trace.end()))
    return { traceEvents, displayTimeUnit: 'ns', otherData: { overwritten } }
  }
}

/** `echo` for `apps/echo/dist/main.js`: most programs are called main. */
export function programName(script: string): string {
  const parts = script.split(sep).filter((part) => part !== '')
  const telling = parts.findLast((part) => !/^(src|dist|bin|lib|(main|index|cli)(\.[cm]?[jt]s)?)$/.test(part))
  return telling ?? parts.at(-1) ?? script
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

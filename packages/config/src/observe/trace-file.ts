import { writeFileSync } from 'node:fs'
import { type ChromeEvent, ParakernelError } from '@parakernel/hal'
import { PIDS } from './machine-trace.ts'
import type { ObservedMachine } from './observed-machine.ts'
import type { ChromeTrace } from './trace-events.ts'

/** One file has the machines of this process that trace into it at the same time. */
interface TraceFile {
  users: number
  readonly events: ChromeEvent[]
  machines: number
  overwritten: number
}

const files = new Map<string, TraceFile>()

/**
 * Traces a machine until it is told to end, and then writes the file. Where the process exits first, it writes what there is.
 * Returns the way to end, which throws EIO when the file cannot be written.
 */
export async function traceToFile(
  path: string,
  machine: ObservedMachine,
  warn: (message: string) => void,
): Promise<() => Promise<void>> {
  const file = files.get(path) ?? { users: 0, events: [], machines: 0, overwritten: 0 }
  files.set(path, file)
  file.users++
  await machine.trace.begin()
  const save = () => {
    for (const event of machine.trace.events(machine.name, 1 + file.machines++ * PIDS)) file.events.push(event)
    file.overwritten += machine.trace.overwritten
    if (--file.users === 0) files.delete(path)
    write(path, file)
  }
  const atExit = () => {
    try {
      save()
    } catch (error) {
      warn((error as Error).message)
    }
  }
  process.once('exit', atExit)
  return async () => {
    process.off('exit', atExit)
    try {
      save()
    } finally {
      await machine.trace.end()
    }
  }
}

function write(path: string, { events, overwritten }: TraceFile): void {
  const trace: ChromeTrace = { traceEvents: events, displayTimeUnit: 'ns', otherData: { overwritten } }
  try {
    writeFileSync(path, JSON.stringify(trace))
  } catch (cause) {
    const remedy = 'Choose a writable place with observe.trace'
    throw new ParakernelError('EIO', `cannot be written: ${(cause as Error).message}`, { subject: path, remedy, cause })
  }
}

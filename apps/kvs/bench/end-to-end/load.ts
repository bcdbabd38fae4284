import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientPlan, ClientResult } from './client.ts'
import { leafOf, machineCpu, processCpu } from './cpu.ts'
import type { Bed } from './servers.ts'

/** CPU seconds are those of the seconds in which the client measured. */
export interface Load extends ClientResult {
  readonly window: number
  readonly serverCpu: number
  /** Of the whole machine, interrupts included, less what it used without us. */
  readonly machineCpu: number
}

/** CPU seconds a second that the machine uses without us. */
export async function idleControl(): Promise<number> {
  const before = machineCpu()
  const start = performance.now()
  await sleep(1000)
  return ((machineCpu() - before) * 1000) / (performance.now() - start)
}

/** One client against one new server. */
export async function load(
  bed: Bed,
  plan: Omit<ClientPlan, 'server' | 'address' | 'port'>,
  idle: number,
): Promise<Load> {
  const server = await bed.start()
  try {
    const { kind, address, port } = bed
    const client = bed.client({ ...plan, server: kind, address, port })
    const pid = leafOf(server.pid!)
    let serverBefore = 0
    let machineBefore = 0
    let printed = ''
    const limit = setTimeout(() => client.kill('SIGKILL'), 60_000)
    for await (const chunk of client.stdout!) {
      const started = printed.includes('START\n')
      printed += chunk
      if (!started && printed.includes('START\n')) {
        serverBefore = processCpu(pid)
        machineBefore = machineCpu()
      }
    }
    clearTimeout(limit)
    await bed.stop(client)
    const serverCpu = processCpu(pid) - serverBefore
    const used = machineCpu() - machineBefore
    if (!printed.includes('{')) throw new Error(`the client of ${kind} printed no result`)
    const result = JSON.parse(printed.slice(printed.indexOf('{'))) as ClientResult
    // Other programs may have become quieter since `idle` was taken: what we used ourselves is the least.
    const machine = Math.max(used - idle * result.seconds, serverCpu + result.cpu)
    return { ...result, window: plan.window, serverCpu, machineCpu: machine }
  } finally {
    await bed.stop(server)
  }
}

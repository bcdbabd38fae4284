/** What is measured: 4 KiB at random places of one file. */
export interface Load {
  readonly path: string
  readonly bytes: number
  readonly writes: boolean
  readonly depth: number
  readonly seconds: number
}

export interface Rate {
  /** Operations a second. */
  readonly value: number
  /** CPU time of the process for one operation, in microseconds. */
  readonly 'us CPU': number
  readonly [detail: string]: number
}

export const BLOCK = 4096

/** xorshift32, over the blocks of the file. */
export function randomBlocks(blocks: number): () => number {
  let state = (process.pid * 2654435761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % blocks
  }
}

export function rate(operations: number, startedAt: number, cpuAtStart: NodeJS.CpuUsage): Rate {
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpuAtStart)
  return { value: operations / seconds, 'us CPU': (user + system) / operations }
}

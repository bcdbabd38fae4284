import type { PartitionContext } from '../../src/index.ts'

export function partition({ loop, data }: PartitionContext<{ descriptor: number | undefined }>): undefined {
  loop.timers.every(100_000_000, () => {})
  const { descriptor } = data
  if (descriptor === undefined) return
  loop.add({ poll: () => 0, arm: () => false, wake: { kind: 'descriptor', fd: descriptor } })
}

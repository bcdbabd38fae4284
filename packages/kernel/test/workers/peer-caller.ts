import type { PartitionContext } from '../../src/index.ts'

/** Calls other partitions when it is told to. */
export function partition(context: PartitionContext) {
  return {
    methods: {
      ask: (partition: number, method: string, args: unknown[] = []) => context.call(partition, method, args),
    },
  }
}

/** The queues of a device that a partition gets: queue q goes to partition q modulo their number, so that none is left over. */
export function queuesOf({ queues }: { readonly queues: number }, partitions: number, index: number): number[] {
  return Array.from({ length: queues }, (_, queue) => queue).filter((queue) => queue % partitions === index)
}

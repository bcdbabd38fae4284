export { benchCases } from './bench-cases.ts'
export { bestNanoseconds, collectionsDuring, keep, perCall, threadCpuNanoseconds } from './timing.ts'
export type { BenchCase, BenchHeading, Measurement } from './types.ts'

export { benchCases } from './bench-cases.ts'
export { bestNanoseconds, collectionsDuring, perCall, threadCpuNanoseconds } from './timing.ts'
export type { BenchCase, BenchHeading, Measurement } from './types.ts'

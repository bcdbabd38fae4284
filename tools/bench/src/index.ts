export { benchCases } from './bench-cases.ts'
export { runCase } from './case-process.ts'
export { bestNanoseconds, collectionsDuring, keep, perCall, threadCpuNanoseconds } from './timing.ts'
export type { BenchCase, BenchHeading, Measurement } from './types.ts'

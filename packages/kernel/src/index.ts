export * from './contracts.ts'

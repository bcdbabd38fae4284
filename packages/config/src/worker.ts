// The module that `compose` names in every partition's plan; it runs in the partition's thread.
export { partition } from './partition/main.ts'

import { partitionProcessMain } from './process/process-main.ts'

await partitionProcessMain(process.argv[2], process.argv[3])

import { parentPort, workerData } from 'node:worker_threads'
import { partitionWorkerMain } from './partition/worker-main.ts'

if (parentPort !== null) await partitionWorkerMain(workerData, parentPort)

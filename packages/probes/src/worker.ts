import { parentPort, workerData } from 'node:worker_threads'
import { PcapWriter, type WriterFile } from './pcap/writer.ts'

const writer = new PcapWriter(workerData as SharedArrayBuffer)
parentPort?.on('message', (file: WriterFile) => writer.add(file))
writer.run()

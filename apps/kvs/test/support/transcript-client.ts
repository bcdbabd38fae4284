import { createSocket } from 'node:dgram'
import { text } from 'node:stream/consumers'

/** A plain Linux client, for a namespace: reads steps from stdin, prints the first datagram of each answer. */
const steps = JSON.parse(await text(process.stdin)) as [port: number, bytes: string][]
const socket = createSocket('udp4')
await new Promise<void>((resolve) => socket.bind(0, resolve))
const answers: string[] = []
for (const [port, bytes] of steps) {
  const answer = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer at port ${port}`)), 3000)
    socket.once('message', (message) => {
      clearTimeout(timer)
      resolve(message.toString('hex'))
    })
  })
  socket.send(Buffer.from(bytes, 'hex'), port, process.argv[2])
  answers.push(await answer)
}
socket.close()
console.log(JSON.stringify(answers))

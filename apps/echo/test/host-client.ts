// The same questions as the program's own client asks, over the kernel's sockets: `host-client.ts ADDRESS PORT`.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'

const [address, port] = process.argv.slice(2)
const socket = createSocket('udp4')
for (const text of ['hello', 'is there an echo here?']) {
  socket.send(text, Number(port), address)
  const [reply] = await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })
  console.log(`> ${text}\n< ${reply}`)
}
socket.close()
const stream = connect({ host: address, port: Number(port), timeout: 10_000 })
stream.end('bye')
let reply = ''
for await (const bytes of stream) reply += bytes
console.log(`> bye\n< ${reply}`)

/** The peer: the same echo over node:net. `node-echo.ts ADDRESS PORT`. */
import { createServer } from 'node:net'

const [address, port] = process.argv.slice(2)
createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  socket.on('data', (bytes) => socket.write(bytes))
  socket.on('end', () => socket.end())
  socket.on('error', () => socket.destroy())
}).listen({ host: address, port: Number(port), backlog: 4096 }, () => console.log('ready'))

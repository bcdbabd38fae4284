/**
 * The kernel's end of a bulk benchmark, in a process of its own: connects and reads, or writes, as fast as it can, until it is
 * killed. Arguments: read or write, address, port.
 */
import { connect } from 'node:net'

const [what, host, port] = process.argv.slice(2)
const CHUNK = 1 << 20
const socket = connect({
  host,
  port: Number(port),
  // Into the same memory over and over: nothing is allocated for what is read.
  ...(what === 'read' && { onread: { buffer: new Uint8Array(CHUNK), callback: () => true } }),
})
socket.on('error', (error) => {
  console.error(error)
  process.exit(1)
})
if (what === 'write') {
  const chunk = new Uint8Array(CHUNK).fill(0x5a)
  const write = () => {
    while (socket.write(chunk));
    socket.once('drain', write)
  }
  socket.once('connect', write)
}

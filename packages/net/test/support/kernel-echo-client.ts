/**
 * Run inside a namespace, by node: sends bytes from a seeded generator to an echo server through the kernel's TCP, and prints what
 * became of them. Arguments: address, port, bytes.
 */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'

const [host, port, count] = process.argv.slice(2)
const total = Number(count)
let state = 1
function fill(length: number): Uint8Array {
  const chunk = new Uint8Array(length)
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    chunk[i] = state >>> 16
  }
  return chunk
}

const sent = createHash('sha256')
const received = createHash('sha256')
let got = 0
const socket = connect({ host, port: Number(port) })
socket.on('data', (data) => {
  received.update(data)
  got += data.length
})
socket.on('end', () => {
  const same = sent.digest('hex') === received.digest('hex')
  console.log(`${got} bytes came back, ${same ? 'the same' : 'others'}`)
})
socket.on('error', (error) => console.log(String(error)))
socket.once('connect', async () => {
  for (let left = total; left > 0; ) {
    // Lengths of all kinds, so that segments begin and end anywhere.
    const chunk = fill(Math.min(left, 1 + ((left * 7919) % 200_000)))
    left -= chunk.length
    sent.update(chunk)
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.end()
})

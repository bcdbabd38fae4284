import { startNetwork } from '@parakernel/config'
import { parseFilter } from '@parakernel/hal'
import { CompletionQueue, QueueAlgebra } from '@parakernel/queue'
import { type EndContext, serving, settled, Transcript } from '../end.ts'

/**
 * A queue above a socket: pops of the filter give what matches, pops of the socket what is left. The filter is data, so that whoever runs it,
 * software here or a device, may compile it.
 */
export async function partition(context: EndContext<{ readonly filter: string; readonly count: number }>) {
  const network = await startNetwork(context)
  const { filter, count } = context.data.settings
  const algebra = new QueueAlgebra(network.runtime, network.pool)
  const transcript = new Transcript()

  const socket = network.socket('datagram')
  network.bind(socket, context.data.here)
  const all = { libos: network, qd: socket }
  const wanted = algebra.filter(all, parseFilter(filter))
  for (const { operation, what, runs, why } of algebra.explain(wanted)) {
    transcript.figure(operation, `${what}; runs in ${runs}, ${why}`)
  }

  let [matching, others] = [0, 0]
  const completions = new CompletionQueue(network.runtime)
  completions.add(algebra.pop(wanted), algebra.pop(all))
  void (async () => {
    for await (const done of completions) {
      if (done.kind !== 'pop') return
      if (done.qd === wanted) {
        matching++
        transcript.say(`${done.sga.byteLength} bytes  ${hex(done.sga.toBytes())}`)
      } else others++
      done.sga.free()
      completions.add(algebra.pop(done.qd === wanted ? wanted : all))
    }
  })()

  return serving(transcript, async () => {
    await settled(
      () => matching + others,
      () => count,
    )
    transcript.say(`${matching} printed, ${others} left out`)
  })
}

/** The first 16 bytes, as numbers and as text. */
function hex(bytes: Uint8Array): string {
  const shown = [...bytes.subarray(0, 16)]
  const numbers = shown.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  const text = shown.map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
  return `${numbers}  ${text}`
}

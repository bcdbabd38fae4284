import { KvsClient, LibOSTransport } from '@parakernel/app-kvs/client'
import { startNetwork } from '@parakernel/config'
import { openDatagrams } from '@parakernel/queue'
import { acting, addressOf, type EndContext, Transcript } from '../end.ts'
import { MEMCACHED } from './example.ts'

/** The client library over whatever network there is; then the same store by memcached's text protocol. */
export async function partition(context: EndContext<{ readonly keys: number }>) {
  const network = await startNetwork(context)
  const transcript = new Transcript()
  const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? 'nothing' : new TextDecoder().decode(bytes))

  return acting(transcript, async () => {
    const server = addressOf(context.data, 'server')
    // Long enough that nothing is asked twice on a slow machine: a `cas` that runs again meets what it has written itself.
    const client = new KvsClient(new LibOSTransport(network, server), { timeout: 5000 })
    await client.connect(30_000)

    await client.set('greeting', 'hello')
    const greeting = await client.get('greeting')
    transcript.say(`get greeting: ${text(greeting?.value)}`)
    const version = greeting?.version ?? 0n
    transcript.say(`cas greeting, with the version that was read: ${await client.cas('greeting', 'bye', version)}`)
    transcript.say(`cas greeting, with the same version again: ${await client.cas('greeting', 'late', version)}`)
    transcript.say(`add greeting, which is there: ${await client.add('greeting', 'again')}`)
    transcript.say(`get nobody: ${text((await client.get('nobody'))?.value)}`)

    // Operations of one turn of the event loop share datagrams.
    const { keys } = context.data.settings
    const numbers = Array.from({ length: keys }, (_, i) => i)
    const began = context.clock.now()
    await Promise.all(numbers.map((i) => client.set(`key ${i}`, `value ${i}`)))
    const items = await Promise.all(numbers.map((i) => client.get(`key ${i}`)))
    const right = items.filter((item, i) => text(item?.value) === `value ${i}`).length
    transcript.say(`${keys} keys written at once and read at once: ${right} as they should be`)
    transcript.figure('writing and reading them', `${((context.clock.now() - began) / 1e6).toFixed(1)} ms`)
    await client.close()

    // memcached over UDP: a header of request, sequence, datagrams, 0, and then lines of text.
    using socket = openDatagrams(network)
    const memcached = { ...server, port: server.port + MEMCACHED }
    for (const line of [
      'get greeting',
      'set counter 0 0 2\r\n41',
      'incr counter 1',
      'delete greeting',
      'get greeting',
    ]) {
      await socket.send(Buffer.concat([Buffer.of(0, 7, 0, 0, 0, 1, 0, 0), Buffer.from(`${line}\r\n`)]), memcached)
      const { bytes } = await socket.receive({ signal: AbortSignal.timeout(30_000) })
      transcript.say(`memcached ${JSON.stringify(line)}: ${JSON.stringify(text(bytes.subarray(8)))}`)
    }
  })
}

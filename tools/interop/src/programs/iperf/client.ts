import { setTimeout as sleep } from 'node:timers/promises'
import { connectStream, type NetworkLibOS, type SocketAddress } from '@parakernel/queue'
import { BulkReceiver, BulkSender } from './bulk.ts'
import {
  CREATE_STREAMS,
  DISPLAY_RESULTS,
  EXCHANGE_RESULTS,
  expectState,
  IPERF_DONE,
  newCookie,
  PARAM_EXCHANGE,
  type Parameters,
  type Results,
  readJson,
  resultsOf,
  TEST_END,
  TEST_RUNNING,
  TEST_START,
  writeJson,
  writeState,
} from './protocol.ts'

export interface IperfOptions {
  readonly seconds: number
  /** The server sends. */
  readonly reverse?: boolean
  readonly parallel?: number
  /** Congestion control that the server is asked to use. */
  readonly congestion?: string
}

export interface IperfResult {
  readonly seconds: number
  /** Sent or received by us, of all connections. */
  readonly bytes: number
  readonly peer: Results
}

/** One test of TCP against an iperf3 server. */
export async function iperf(
  libos: NetworkLibOS,
  server: SocketAddress,
  { seconds, reverse = false, parallel = 1, congestion }: IperfOptions,
): Promise<IperfResult> {
  const cookie = newCookie()
  const control = await connectStream(libos, server, { options: { noDelay: true } })
  await control.write(cookie)
  await expectState(control, PARAM_EXCHANGE)
  const parameters: Parameters = {
    tcp: true,
    omit: 0,
    time: seconds,
    num: 0,
    blockcount: 0,
    parallel,
    len: 131_072,
    pacing_timer: 1000,
    client_version: '3.12',
    ...(reverse ? { reverse } : {}),
    ...(congestion === undefined ? {} : { congestion }),
  }
  await writeJson(control, parameters)
  await expectState(control, CREATE_STREAMS)
  const ends: (BulkSender | BulkReceiver)[] = []
  try {
    for (let i = 0; i < parallel; i++) {
      const stream = await connectStream(libos, server)
      await stream.write(cookie)
      ends.push(new (reverse ? BulkReceiver : BulkSender)(libos, stream.qd))
    }
    await expectState(control, TEST_START)
    await expectState(control, TEST_RUNNING)
    const start = performance.now()
    for (const end of ends) end.start()
    await sleep(seconds * 1000)
    for (const end of ends) end.stop()
    const took = (performance.now() - start) / 1000
    await writeState(control, TEST_END)
    await expectState(control, EXCHANGE_RESULTS)
    const bytes = ends.map((end) => end.bytes)
    await writeJson(control, resultsOf(bytes, took))
    const peer = await readJson<Results>(control)
    await expectState(control, DISPLAY_RESULTS)
    await writeState(control, IPERF_DONE)
    return { seconds: took, bytes: bytes.reduce((sum, count) => sum + count, 0), peer }
  } finally {
    for (const end of ends) end.close()
    await control.close().catch(() => {})
  }
}

import { createHash } from 'node:crypto'
import { getHeapStatistics } from 'node:v8'
import { startNetwork } from '@parakernel/config'
import type { PartitionContext, PartitionExports } from '@parakernel/kernel'
import { connectStream, type SocketAddress } from '@parakernel/queue'
import { churn, serveChurn, type Way } from './programs/churn/index.ts'
import { serveHttp } from './programs/http/server.ts'
import { type IperfOptions, IperfServer, iperf } from './programs/iperf/index.ts'
import { patternPieces } from './programs/pattern.ts'
import { serveChargen, serveDiscard, serveEcho } from './programs/small-services.ts'

export const ECHO = 7
export const DISCARD = 9
export const CHARGEN = 19
export const HTTP = 80
export const IPERF = 5201

/** What is left of connections, for a test to look at. */
export interface Remains {
  readonly established: number
  /** Sockets of streams that listen, by count, and lines of all others by state. */
  readonly states: Readonly<Record<string, number>>
  readonly framesAvailable: number
  readonly outstanding: number
}

/** Every program of this folder on one libOS, at all addresses of both families; its clients are methods. */
export async function partition(context: PartitionContext): Promise<PartitionExports> {
  const network = await startNetwork(context)
  const at = (port: number): SocketAddress => ({ address: '::', port })
  serveEcho(network, at(ECHO))
  serveDiscard(network, at(DISCARD))
  serveChargen(network, at(CHARGEN))
  serveHttp(network, at(HTTP))
  const iperfServer = new IperfServer(network, at(IPERF))
  const { outcomes } = serveChurn(network, '::')
  return {
    methods: {
      iperf: (server: SocketAddress, options: IperfOptions) => iperf(network, server, options),
      iperfReports: () => ({ reports: iperfServer.reports, failures: iperfServer.failures }),
      churn: (peer: string, way: Way, count: number, lanes: number) => churn(network, peer, way, count, lanes),
      churnOutcomes: () => outcomes,
      /** Sends bytes of the pattern, counts and hashes what comes until the peer's end, and then says its own. */
      exchange: async (peer: SocketAddress, length: number) => {
        const stream = await connectStream(network, peer)
        const sending = (async () => {
          for (const piece of patternPieces(length)) await stream.write(piece)
        })()
        const hash = createHash('sha256')
        let bytes = 0
        for await (const piece of stream) {
          hash.update(piece)
          bytes += piece.byteLength
        }
        await sending
        await stream.end()
        return { bytes, sha256: hash.digest('hex') }
      },
      /** Bytes of the partition's heap that are in use, after a collection where Node exposes it. */
      heap: () => {
        ;(globalThis as { gc?: () => void }).gc?.()
        return getHeapStatistics().used_heap_size
      },
      remains: (): Remains => {
        const states: Record<string, number> = {}
        for (const { type, state } of network.sockets()) {
          if (type === 'stream') states[state] = (states[state] ?? 0) + 1
        }
        return {
          established: network.statistics()['tcp']?.['tcpCurrEstab'] ?? -1,
          states,
          framesAvailable: network.pool.available,
          outstanding: network.runtime.outstanding,
        }
      },
    },
  }
}

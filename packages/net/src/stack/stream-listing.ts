import type { SocketAddress, SocketInfo, StreamState } from '@parakernel/queue'
import { type IpWords, isIpv4Mapped } from '@parakernel/queue'
import type { Connection } from '../tcp/connection/connection.ts'
import { NO_RECORD } from '../tcp/passive/syn-backlog.ts'
import { NO_TIME_WAIT, TimeWaitState } from '../tcp/passive/time-wait.ts'
import { ESTABLISHED, STATE_NAMES } from '../tcp/state.ts'
import type { StreamSocket } from './stream-socket.ts'
import { formatOf, type StreamTable } from './stream-table.ts'
import type { TcpEndpoint } from './tcp-endpoint.ts'
import type { TcpService } from './tcp-service.ts'

/** A listing of all streams, as of `ss -a`: sockets, connections that live on without one, half-open ones, TIME-WAIT records. */
export function listStreams(table: StreamTable, tcp: TcpService): SocketInfo[] {
  const lines: SocketInfo[] = []
  for (const socket of table.sockets) if (!socket.isClosing) lines.push(socketLine(table, socket))
  for (const endpoint of tcp.context.endpoints.slots) {
    if (endpoint === undefined || (endpoint.socket !== undefined && !endpoint.socket.isClosing)) continue
    lines.push(connectionLine(endpoint, undefined, undefined))
  }
  return [...lines, ...halfOpen(tcp), ...timeWaits(tcp)]
}

function socketLine(table: StreamTable, socket: StreamSocket): SocketInfo {
  const { endpoint, listener, qd, family } = socket
  if (endpoint !== undefined) return connectionLine(endpoint, socket, table.peerOf(socket))
  const backlog = listener?.backlog
  return {
    qd,
    type: 'stream',
    family: family === 4 ? 'ipv4' : 'ipv6',
    local: table.localOf(socket),
    peer: undefined,
    state: listener === undefined ? 'closed' : 'listen',
    receiveQueue: backlog?.waiting ?? 0,
    sendQueue: backlog?.limit ?? 0,
    details: backlog === undefined ? {} : { ...backlog.statistics() },
  }
}

function connectionLine(
  endpoint: TcpEndpoint,
  socket: StreamSocket | undefined,
  peer: SocketAddress | undefined,
): SocketInfo {
  const { connection, path, localPort, remotePort } = endpoint
  const family = socket?.family ?? path.family
  return {
    qd: socket?.qd,
    type: 'stream',
    family: family === 4 ? 'ipv4' : 'ipv6',
    local: { address: formatOf(path.local, family), port: localPort },
    peer: peer ?? { address: formatOf(path.remote, family), port: remotePort },
    state: STATE_NAMES[connection.state],
    receiveQueue: connection.receiveQueue.readable,
    sendQueue: connection.sendQueue.bytes,
    details: detailsOf(connection),
  }
}

function detailsOf(connection: Connection): Record<string, string | number> {
  const { recovery, settings, receiveQueue, sendTuning, receiveTuning } = connection
  const details: Record<string, string | number> = { congestion: settings.congestionControl }
  if (connection.state < ESTABLISHED) return details
  const { congestion, smoothedRtt, rttVariance, rto } = recovery
  const milliseconds = (nanoseconds: number) => Math.round(nanoseconds / 1e3) / 1e3
  if (!Number.isNaN(smoothedRtt)) {
    details['rtt'] = milliseconds(smoothedRtt)
    details['rttvar'] = milliseconds(rttVariance)
  }
  details['rto'] = milliseconds(rto)
  details['cwnd'] = congestion.window
  if (Number.isFinite(congestion.slowStartThreshold)) details['ssthresh'] = congestion.slowStartThreshold
  details['inFlight'] = recovery.bytesInFlight
  details['backoffs'] = recovery.backoffs
  details['phase'] = PHASE_NAMES[recovery.phase]
  details['retransmissions'] = recovery.retransmissions
  details['mss'] = connection.segmentSize
  details['receiveBuffer'] = receiveTuning.size
  details['sendBuffer'] = sendTuning.size
  details['outOfOrder'] = receiveQueue.outOfOrder
  return details
}

/** By the numbers of `recovery-state.ts`. */
const PHASE_NAMES = ['open', 'reducing', 'recovery', 'loss']

function halfOpen({ context, handshakes }: TcpService): SocketInfo[] {
  const { backlog } = handshakes
  const lines: SocketInfo[] = []
  const local = new Int32Array(4)
  const remote = new Int32Array(4)
  for (let record = backlog.next(NO_RECORD); record !== NO_RECORD; record = backlog.next(record)) {
    backlog.addresses(record, local, remote)
    const family = context.bound.listener(backlog.listener(record))?.socket.family
    lines.push(recordLine(local, remote, backlog.ports(record), 'syn-received', family))
  }
  return lines
}

function timeWaits({ timeWaits: { records } }: TcpService): SocketInfo[] {
  const lines: SocketInfo[] = []
  const state = new TimeWaitState()
  for (let record = records.oldest; record !== NO_TIME_WAIT; record = records.next(record)) {
    records.read(record, state)
    lines.push(recordLine(state.local, state.remote, state.ports, 'time-wait', undefined))
  }
  return lines
}

function recordLine(
  local: IpWords,
  remote: IpWords,
  ports: number,
  state: StreamState,
  of: 4 | 6 | undefined,
): SocketInfo {
  const family = of ?? (isIpv4Mapped(remote) ? 4 : 6)
  return {
    qd: undefined,
    type: 'stream',
    family: family === 4 ? 'ipv4' : 'ipv6',
    local: { address: formatOf(local, family), port: ports & 0xffff },
    peer: { address: formatOf(remote, family), port: ports >>> 16 },
    state,
    receiveQueue: 0,
    sendQueue: 0,
    details: {},
  }
}

import type { QueueDescriptor, SocketInfo } from '@parakernel/queue'
import type { Connection } from './connection.ts'
import type { StreamSocket } from './stream-socket.ts'

/** Where the sockets of a libOS are: accepted ones come in by themselves, served ones leave so. */
export interface StreamHome {
  add(socket: StreamSocket): void
  /** Forgets the descriptor and ends its tokens. */
  forget(qd: QueueDescriptor): void
  /** A connection that lives on without a descriptor. */
  linger(connection: Connection): void
}

/** What a listing says of a connection, with or without a descriptor. */
export function infoOf(
  connection: Connection,
): Pick<SocketInfo, 'local' | 'peer' | 'state' | 'receiveQueue' | 'sendQueue'> {
  const { local, peer, state, receive, send } = connection
  return { local, peer, state, receiveQueue: receive.bytes, sendQueue: send.bytes }
}

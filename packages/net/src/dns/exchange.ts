import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import {
  type Completion,
  type NetworkLibOS,
  type QueueDescriptor,
  type QueueToken,
  type SocketAddress,
  sgaFromBytes,
} from '@parakernel/queue'
import { decodeResponse, encodeQuery, RECORD_TYPES, type RecordType, type Response } from './message.ts'

/** What a server said, or why it said nothing. */
export type Outcome = Response | ErrorCode

/** Where a question goes: a server, and until when (nanoseconds on the loop's clock) its answer is waited for. */
export interface Inquiry {
  readonly name: string
  readonly type: RecordType
  readonly server: SocketAddress
  readonly edns: boolean
  readonly identifier: number
  readonly deadline: number
}

/**
 * Asks one server once over UDP. Every question has a socket of its own, so that a forger must guess a port as well as the
 * identifier (RFC 5452 section 9); what does not answer our question is passed over, and counted by `ignored`.
 */
export async function askByDatagram(libos: NetworkLibOS, inquiry: Inquiry, ignored: () => void): Promise<Outcome> {
  const { server } = inquiry
  const qd = libos.socket('datagram', familyOf(server))
  try {
    const opened = await finished(libos, qd, libos.connect(qd, server), inquiry)
    if (opened.kind === 'failed') return opened.code
    const sent = await push(libos, qd, query(inquiry), inquiry)
    if (sent.kind === 'failed') return sent.code
    for (;;) {
      const popped = await finished(libos, qd, libos.pop(qd), inquiry)
      if (popped.kind !== 'pop') return popped.kind === 'failed' ? popped.code : 'EPROTO'
      const bytes = popped.sga.toBytes()
      popped.sga.free()
      const response = decodeResponse(bytes)
      if (response !== undefined && answers(response, inquiry)) return response
      ignored()
    }
  } catch (error) {
    return codeOf(error)
  } finally {
    libos.close(qd)
  }
}

/** Asks over TCP, where each message has its length before it (RFC 1035 section 4.2.2, RFC 7766). */
export async function askByStream(libos: NetworkLibOS, inquiry: Inquiry): Promise<Outcome> {
  const { server } = inquiry
  const qd = libos.socket('stream', familyOf(server))
  try {
    const opened = await finished(libos, qd, libos.connect(qd, server), inquiry)
    if (opened.kind === 'failed') return opened.code
    const message = query(inquiry)
    const framed = new Uint8Array(message.length + 2)
    new DataView(framed.buffer).setUint16(0, message.length)
    framed.set(message, 2)
    const sent = await push(libos, qd, framed, inquiry)
    if (sent.kind === 'failed') return sent.code
    let received = new Uint8Array(0)
    for (;;) {
      const wanted = received.length < 2 ? 2 : 2 + ((received[0] << 8) | received[1])
      if (received.length >= 2 && received.length >= wanted) {
        const response = decodeResponse(received.subarray(2, wanted))
        return response !== undefined && answers(response, inquiry) ? response : 'EPROTO'
      }
      const popped = await finished(libos, qd, libos.pop(qd), inquiry)
      if (popped.kind !== 'pop') return popped.kind === 'failed' ? popped.code : 'EPROTO'
      const bytes = popped.sga.toBytes()
      popped.sga.free()
      // The server ended the stream before its answer was whole.
      if (bytes.length === 0) return 'EPROTO'
      const joined = new Uint8Array(received.length + bytes.length)
      joined.set(received)
      joined.set(bytes, received.length)
      received = joined
    }
  } catch (error) {
    return codeOf(error)
  } finally {
    libos.close(qd)
  }
}

function query({ identifier, name, type, edns }: Inquiry): Uint8Array {
  return encodeQuery(identifier, name, type, edns)
}

function answers({ identifier, question }: Response, inquiry: Inquiry): boolean {
  return (
    identifier === inquiry.identifier && question.name === inquiry.name && question.type === RECORD_TYPES[inquiry.type]
  )
}

function push(libos: NetworkLibOS, qd: QueueDescriptor, bytes: Uint8Array, inquiry: Inquiry): Promise<Completion> {
  const sga = sgaFromBytes(libos.pool, bytes)
  const token = libos.push(qd, sga)
  sga.free()
  return finished(libos, qd, token, inquiry)
}

/** Awaits a token until the inquiry's deadline; past it the token is cancelled, and this is a failure with ETIMEDOUT. */
async function finished(
  libos: NetworkLibOS,
  qd: QueueDescriptor,
  token: QueueToken,
  { deadline }: Inquiry,
): Promise<Completion> {
  let late = false
  const { runtime, loop } = libos
  const timer = loop.timers.at(deadline, () => {
    late = runtime.cancel(token)
    loop.requestYield()
  })
  loop.wake()
  const completion = await runtime.completion(token)
  loop.timers.cancel(timer)
  if (late) return { kind: 'failed', qd, token, code: 'ETIMEDOUT', message: 'the server did not answer' }
  return completion
}

function familyOf({ address }: SocketAddress): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}

/** What control calls throw (no port left, no frame, no such family) is one more way of getting no answer. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof ParakernelError) return error.code
  throw error
}

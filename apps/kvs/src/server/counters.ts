import { Counters } from '@parakernel/hal'

/** What a partition's server counts, beside the store's and the stack's own counters. */
const SERVER_COUNTERS = [
  /** Request datagrams, by protocol. */
  'nativeDatagrams',
  'memcachedDatagrams',
  /** Operations in them. */
  'nativeOperations',
  'memcachedCommands',
  /** Replies that were built in the frame of the request, and in a spare one. */
  'repliesInPlace',
  'repliesInSpareFrame',
  /** Replies beyond the first to one request datagram. */
  'overflowReplies',
  /** Datagrams that are no request of the protocol: dropped without an answer. */
  'notARequest',
  /** Requests that were cut off, or whose lengths lie: answered with an error. */
  'malformed',
  'badVersion',
  /** Operations with an opcode or command that does not exist. */
  'unknownOperation',
  /** Values withheld from an address that has not proven itself. */
  'cookieRequired',
  /** Requests from a port that is a server port: dropped, see the guard against loops. */
  'fromServerPort',
  /** Operations for another partition that a ring took there, that came from there, and whose replies went back. */
  'handedOver',
  'handedIn',
  'handedBack',
  /** Operations or datagrams for another partition that were refused, because its ring was full. */
  'handOverRefused',
  /** Datagrams that came to another queue than their port's, taken there by a ring; and those that came from there. */
  'strayed',
  'strayedIn',
  /** GETs of another partition's keys that were served here (CREW). */
  'readElsewhere',
  /** Request datagrams that no spare frame was free for: dropped before they were executed. */
  'noFrame',
  /** Replies that the device had no room for: dropped. */
  'replyDropped',
  /** Request datagrams whose payload was not aligned to 8 bytes, and were copied. */
  'realigned',
  /** Replies that waited for their writes to be durable. */
  'repliesHeld',
  /** Writes that were refused because the log has failed or is full, and replies that were never sent because it failed. */
  'journalRefused',
  'journalFailed',
] as const

export type ServerCounter = (typeof SERVER_COUNTERS)[number]

export type ServerCounters = Counters<ServerCounter>

export function serverCounters(buffer?: SharedArrayBuffer): ServerCounters {
  return new Counters(SERVER_COUNTERS, buffer)
}

const index = (name: ServerCounter) => SERVER_COUNTERS.indexOf(name)

// Indices for the data path, which adds to `counters.values` directly.
export const C_NATIVE_DATAGRAMS = index('nativeDatagrams')
export const C_MEMCACHED_DATAGRAMS = index('memcachedDatagrams')
export const C_NATIVE_OPERATIONS = index('nativeOperations')
export const C_MEMCACHED_COMMANDS = index('memcachedCommands')
export const C_IN_PLACE = index('repliesInPlace')
export const C_SPARE = index('repliesInSpareFrame')
export const C_OVERFLOW = index('overflowReplies')
export const C_NOT_A_REQUEST = index('notARequest')
export const C_MALFORMED = index('malformed')
export const C_BAD_VERSION = index('badVersion')
export const C_UNKNOWN = index('unknownOperation')
export const C_COOKIE_REQUIRED = index('cookieRequired')
export const C_FROM_SERVER_PORT = index('fromServerPort')
export const C_HANDED_OVER = index('handedOver')
export const C_HANDED_IN = index('handedIn')
export const C_HANDED_BACK = index('handedBack')
export const C_HAND_OVER_REFUSED = index('handOverRefused')
export const C_STRAYED = index('strayed')
export const C_STRAYED_IN = index('strayedIn')
export const C_READ_ELSEWHERE = index('readElsewhere')
export const C_NO_FRAME = index('noFrame')
export const C_REPLY_DROPPED = index('replyDropped')
export const C_REALIGNED = index('realigned')
export const C_REPLIES_HELD = index('repliesHeld')
export const C_JOURNAL_REFUSED = index('journalRefused')
export const C_JOURNAL_FAILED = index('journalFailed')

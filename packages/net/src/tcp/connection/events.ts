/** What the socket layer has to hear, ORed in `Connection.events`; who has handled them clears them. */
export const EVENT_CONNECTED = 1 << 0
/** There is more to read than before. */
export const EVENT_READABLE = 1 << 1
/** There is room in the send buffer again, after there was none. */
export const EVENT_WRITABLE = 1 << 2
/** The peer ended its half; it comes after all its bytes. */
export const EVENT_PEER_CLOSED = 1 << 3
/** Everything that we sent, our FIN too, is acknowledged. */
export const EVENT_FLUSHED = 1 << 4
/** 2 MSL start to run: the connection may be replaced by a compact record. */
export const EVENT_TIME_WAIT = 1 << 5
/** The state is CLOSED: no frame and no timer is left. */
export const EVENT_CLOSED = 1 << 6
/** It ended otherwise than in order; `failure` says why. Together with `EVENT_CLOSED`. */
export const EVENT_FAILED = 1 << 7
/** R1 is passed: the path may be dead, its route and neighbour are worth another look (RFC 1122 section 4.2.3.5). */
export const EVENT_PATH_SUSPECT = 1 << 8

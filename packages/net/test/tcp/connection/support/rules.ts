import { ACK, FIN, RST, type Segment, SYN, sequenceLength } from '../../../../src/tcp/segment.ts'
import { after, before, distance, latest } from '../../../../src/tcp/sequence.ts'

/** What is known of one direction: what its sender has sent, and how far the receiver has opened its window for it. */
class Direction {
  isOpen = false
  initial = 0
  /** One past the highest sequence number sent. */
  highest = 0
  /** Highest ACK that came back. */
  acknowledged = 0
  /** Right edge that the receiver told at most, and the unit of its window; 0 as long as it told none. */
  edge = 0
  unit = 0
  /** Shift that the sender told in its SYN, -1 for none: of the windows that it tells itself. */
  scale = -1
}

/**
 * Rules that no segment of ours may break, whatever the wire did before: watches both directions and collects what is
 * broken, in words.
 */
export class Rules {
  readonly broken: string[] = []
  readonly #directions = new Map<unknown, Direction>()
  readonly #mtu: number

  constructor(mtu: number) {
    this.#mtu = mtu
  }

  /** `from` is about to send; before the wire may lose it. */
  sent(from: unknown, to: unknown, s: Segment): void {
    const own = this.#of(from)
    const peer = this.#of(to)
    const end = (s.sequence + sequenceLength(s)) | 0
    const options = (s.hasTimestamp ? 12 : 0) + (s.sackCount > 0 ? 4 + 8 * s.sackCount : 0)
    const payload = s.segmentSize > 0 ? s.segmentSize : s.length
    this.#must(
      s.length === 0 || 40 + options + payload <= this.#mtu,
      `${payload} bytes in a packet of at most ${this.#mtu}`,
    )
    if ((s.flags & RST) !== 0) return
    if ((s.flags & SYN) !== 0) {
      if (!own.isOpen) {
        own.isOpen = true
        own.initial = s.sequence
        own.highest = end
        own.acknowledged = s.sequence
      }
      own.scale = s.windowScale
      this.#must(s.sequence === own.initial, 'a SYN elsewhere than at the initial sequence number')
      if ((s.flags & ACK) === 0) return
    }
    if ((s.flags & ACK) !== 0) this.#acknowledges(own, peer, s)
    const beyond = distance(end, own.edge)
    // The octet of a window probe lies beyond the window.
    const probes = sequenceLength(s) === 1 && s.sequence === own.highest
    this.#must(beyond <= 0 || probes || own.unit === 0 || (s.flags & SYN) !== 0, `${beyond} beyond the window`)
    this.#must(!after(s.sequence, own.highest), 'a hole in what was sent')
    if (!(probes && beyond > 0)) own.highest = latest(own.highest, end)
    this.#must((s.flags & FIN) === 0 || end === own.highest || probes, 'a FIN before the end')
  }

  #acknowledges(own: Direction, peer: Direction, s: Segment): void {
    const ack = s.acknowledgment
    this.#must(peer.isOpen && !after(ack, (peer.highest + 1) | 0), 'an ACK of what was never sent')
    // An ACK says no less than the one before it, but for those that a burst is divided into.
    this.#must(!before(ack, peer.acknowledged), 'an ACK that goes back')
    peer.acknowledged = latest(peer.acknowledged, ack)
    peer.highest = latest(peer.highest, ack)
    const scaled = own.scale >= 0 && peer.scale >= 0 && (s.flags & SYN) === 0
    const unit = scaled ? 1 << own.scale : 1
    const edge = (ack + s.window * unit) | 0
    const back = distance(peer.edge, edge)
    if ((s.flags & SYN) === 0 && peer.unit === unit) this.#must(back < unit, `a window that shrinks by ${back}`)
    peer.edge = peer.unit === unit && (s.flags & SYN) === 0 ? latest(peer.edge, edge) : edge
    peer.unit = unit
    for (let i = 0; i < s.sackCount; i++) {
      this.#must(after(s.sackRight[i], s.sackLeft[i]), 'an empty SACK block')
      this.#must(!after(s.sackRight[i], peer.highest), 'a SACK of what was never sent')
    }
  }

  #of(side: unknown): Direction {
    let direction = this.#directions.get(side)
    if (direction === undefined) {
      direction = new Direction()
      this.#directions.set(side, direction)
    }
    return direction
  }

  #must(holds: boolean, broken: string): void {
    if (!holds && this.broken.length < 10) this.broken.push(broken)
  }
}

/** Not watching. */
const FRTO_OFF = 0
/** The timer expired, the first segment was sent again: the next acknowledgment decides whether to try new data. */
const FRTO_RESENT = 1
/** New data is sent instead of more retransmissions, and the acknowledgment of it decides. */
const FRTO_NEW_DATA = 2

/**
 * Whether a retransmission was needed at all. Three witnesses, for one episode of recovery at a time:
 * - the echo of a timestamp older than the first retransmission (Eifel detection, RFC 3522);
 * - the acknowledgment of data that was never sent again, after a timeout (F-RTO, RFC 5682, section 3 with SACK);
 * - reports that everything sent again arrived twice (RFC 3708 section 2.1 with the blocks of RFC 2883).
 */
export class SpuriousDetection {
  /** Stands for that of a connection that never had to recover; watches nothing, and is never changed. */
  static readonly NONE = new SpuriousDetection()

  /** Something was retransmitted in this episode and nothing has proved it right or wrong for all of it. */
  isWatching = false
  /** Bytes sent again in this episode for which no duplicate was reported. */
  #unexplained = 0
  /** SND.UNA at the beginning: reports of duplicates below it are of an earlier episode. */
  #from = 0
  /** Eifel: whether the first retransmission was sent, where it begins, and its timestamp. */
  #hasFirst = false
  #firstSequence = 0
  #firstStamp = 0
  #frto = FRTO_OFF

  /** An episode of recovery begins. */
  begin(una: number, afterTimeout: boolean): void {
    this.isWatching = true
    this.#unexplained = 0
    this.#from = una
    this.#hasFirst = false
    this.#frto = afterTimeout ? FRTO_RESENT : FRTO_OFF
  }

  end(): void {
    if (!this.isWatching) return
    this.isWatching = false
    this.#frto = FRTO_OFF
  }

  resent(sequence: number, length: number, stamp: number): void {
    if (!this.isWatching) return
    this.#unexplained += length
    if (this.#hasFirst) return
    this.#hasFirst = true
    this.#firstSequence = sequence
    this.#firstStamp = stamp
  }

  /**
   * RFC 3522 section 3.2: the acknowledgment that first covers the first retransmission echoes an older timestamp. Asked with
   * each that advances SND.UNA from `una`; the first decides.
   */
  provedByEcho(una: number, echo: number): boolean {
    if (!this.isWatching || !this.#hasFirst || this.#firstSequence !== una) return false
    this.#hasFirst = false
    return ((echo - this.#firstStamp) | 0) < 0
  }

  /** RFC 3708: bytes `[left, right)` arrived twice. True when that explains all retransmissions of the episode. */
  provedByDuplicate(left: number, right: number): boolean {
    if (!this.isWatching || this.#unexplained <= 0 || ((left - this.#from) | 0) < 0) return false
    this.#unexplained -= (right - left) | 0
    return this.#unexplained <= 0
  }

  get isForward(): boolean {
    return this.#frto !== FRTO_OFF
  }

  /** Whether new data is to be sent before anything else is sent again (RFC 5682 section 2 step 2b). */
  get prefersNewData(): boolean {
    return this.#frto === FRTO_NEW_DATA
  }

  /** Step 2b: the retransmission was acknowledged, and not everything. */
  tryNewData(): void {
    this.#frto = FRTO_NEW_DATA
  }

  /** Steps 2a and 3a, or there is no new data: the loss was real, or it cannot be told. */
  giveUpForward(): void {
    if (this.#frto !== FRTO_OFF) this.#frto = FRTO_OFF
  }
}

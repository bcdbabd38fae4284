import { styleText } from 'node:util'

/** ECMA-48 and xterm: another screen, so that what was on this one comes back; the cursor is in the way. */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
/** Erases to the end of the line, and of the screen. */
const ERASE_LINE = '\x1b[K'
const ERASE_BELOW = '\x1b[J'

/** A terminal that is drawn over in place, and given back as it was. */
export class Screen {
  readonly #stream: NodeJS.WriteStream
  readonly #keys: NodeJS.ReadStream | undefined
  readonly #onKey: (text: Buffer) => void
  readonly #onResize: () => void
  /** Whatever ends the process. */
  readonly #restore = () => void this.#stream.write(LEAVE)
  #lines: readonly string[] = []
  #highlighted = -1

  /** @param pressed gets each key as the terminal sends it */
  constructor(stream: NodeJS.WriteStream, keys: NodeJS.ReadStream | undefined, pressed: (key: string) => void) {
    this.#stream = stream
    this.#keys = keys
    this.#onKey = (bytes) => {
      for (const key of String(bytes)) pressed(key)
    }
    this.#onResize = () => this.draw(this.#lines, this.#highlighted)
    stream.write(ENTER)
    stream.on('resize', this.#onResize)
    process.once('exit', this.#restore)
    keys?.setRawMode(true)
    keys?.on('data', this.#onKey)
    keys?.resume()
  }

  /** @param highlighted the line that is a heading */
  draw(lines: readonly string[], highlighted: number): void {
    this.#lines = lines
    this.#highlighted = highlighted
    const { columns = 80, rows = 24 } = this.#stream
    const shown = lines.slice(0, rows).map((line, i) => {
      const cut = line.slice(0, columns)
      return `${i === highlighted ? styleText('inverse', cut.padEnd(columns), { stream: this.#stream }) : cut}${ERASE_LINE}`
    })
    this.#stream.write(`${HOME}${shown.join('\r\n')}${ERASE_BELOW}`)
  }

  close(): void {
    this.#stream.off('resize', this.#onResize)
    process.off('exit', this.#restore)
    this.#keys?.off('data', this.#onKey)
    this.#keys?.setRawMode(false)
    this.#keys?.pause()
    this.#restore()
  }
}

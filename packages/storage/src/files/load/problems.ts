import { ParakernelError } from '@parakernel/hal'
import type { Problem } from '../volume.ts'

/** Problems that one report holds; more are counted and not kept. */
const KEPT = 1000

/** What is wrong with a volume, as it is found. */
export class Problems {
  readonly list: Problem[] = []
  damages = 0
  leaks = 0
  /** Something that no repair can mend. */
  hopeless = false

  damage(message: string, repair: string): void {
    this.damages++
    this.#keep({ kind: 'damage', message, repair })
  }

  leak(message: string, repair: string): void {
    this.leaks++
    this.#keep({ kind: 'leak', message, repair })
  }

  lost(message: string): void {
    this.hopeless = true
    this.damage(message, 'none: restore the volume from a copy')
  }

  /** @throws EUCLEAN when there is damage */
  refuse(subject: string): void {
    if (this.damages === 0) return
    const shown = this.list
      .filter((problem) => problem.kind === 'damage')
      .slice(0, 3)
      .map((problem) => problem.message)
      .join('; ')
    throw new ParakernelError('EUCLEAN', `${this.damages} defects: ${shown}`, {
      subject,
      remedy: this.hopeless
        ? 'Restore the volume from a copy'
        : 'Check the volume, with repair once its data are copied as far as they can be read',
    })
  }

  #keep(problem: Problem): void {
    if (this.list.length < KEPT) this.list.push(problem)
  }
}

import { FILTER_FIELDS, type FilterBase, type FilterExpression, type FilterValue } from '@parakernel/hal'
import { type BpfAssembler, R0, R1, R2, R3, R4, R5 } from '@parakernel/linux'
import { ABSENT, constant, DATA, DATA_END, pointInto, read, write } from './frame.ts'
import { emitLocate } from './locate.ts'

/** Sets up to this size are compared one by one; longer ones are searched by halves. */
const SHORT_SET = 4
const FNV_PRIME = 0x0100_0193
const FNV_BASIS = 0x811c_9dc5

/** An expression, and the label that its code begins with. */
export interface LabelledFilter {
  readonly label: string
  readonly expression: FilterExpression
}

/**
 * Appends code that judges the frame between DATA and DATA_END by expressions that `checkFilter` has passed, and goes on at `match`
 * or `mismatch`. Which of them is decided by the code that `choose` appends, when the headers are found: it jumps to a filter's label.
 * Uses every register but R9, and the stack frame down to -80; defines labels of its own, so once a program.
 */
export function emitFilters(
  code: BpfAssembler,
  filters: readonly LabelledFilter[],
  choose: () => void,
  match: string,
  mismatch: string,
): void {
  emitLocate(code, 'located')
  code.label('located')
  choose()
  const compiler = new FilterCompiler(code)
  for (const { label, expression } of filters) {
    code.label(label)
    compiler.expression(expression, match, mismatch, '')
  }
}

class FilterCompiler {
  readonly #code: BpfAssembler
  #labels = 0

  constructor(code: BpfAssembler) {
    this.#code = code
  }

  /** Goes on at `yes` or `no`. `next` is the label that stands behind this code: no jump leads there. */
  expression(node: FilterExpression, yes: string, no: string, next: string): void {
    switch (node.kind) {
      case 'constant':
        this.#go(node.value ? yes : no, next)
        return
      case 'not':
        this.expression(node.of, no, yes, next)
        return
      case 'all':
        this.#list(node.of, (one, goOn) => this.expression(one, goOn, no, goOn))
        this.#go(yes, next)
        return
      case 'any':
        this.#list(node.of, (one, goOn) => this.expression(one, yes, goOn, goOn))
        this.#go(no, next)
        return
      case 'present':
        this.#value(node.value, no)
        this.#go(yes, next)
        return
      case 'in':
        this.#value(node.value, no)
        this.#search(
          [...new Set(node.set)].sort((a, b) => a - b),
          yes,
          no,
        )
        return
      case 'compare':
        this.#compare(node, yes, no)
        this.#go(no, next)
        return
    }
  }

  /** Each part goes on at a label behind it. */
  #list(parts: readonly FilterExpression[], emit: (part: FilterExpression, goOn: string) => void): void {
    for (const part of parts) {
      const goOn = this.#label()
      emit(part, goOn)
      this.#code.label(goOn)
    }
  }

  #compare({ operation, left, right }: FilterExpression & { kind: 'compare' }, yes: string, no: string): void {
    const code = this.#code
    this.#value(left, no)
    if (right.kind === 'number') {
      code.jumpIf32(R0, operation, right.value | 0, yes)
      return
    }
    write(code, 'left', R0)
    this.#value(right, no)
    read(code, R1, 'left')
    code.jumpIf32(R1, operation, R0, yes)
  }

  /** Whether R0 is one of the numbers, in ascending order. */
  #search(sorted: readonly number[], yes: string, no: string): void {
    const code = this.#code
    if (sorted.length <= SHORT_SET) {
      for (const one of sorted) code.jumpIf32(R0, 'eq', one | 0, yes)
      code.jump(no)
      return
    }
    const middle = sorted.length >> 1
    const lower = this.#label()
    code.jumpIf32(R0, 'lt', (sorted[middle] as number) | 0, lower)
    this.#search(sorted.slice(middle), yes, no)
    code.label(lower)
    this.#search(sorted.slice(0, middle), yes, no)
  }

  /** R0 = the value, without a sign; jumps to `absent` where there is none. */
  #value(node: FilterValue, absent: string): void {
    const code = this.#code
    switch (node.kind) {
      case 'number':
        constant(code, R0, node.value)
        return
      case 'load':
        this.#load(node.base, node.offset, node.width, absent)
        return
      case 'field':
        this.#field(node.name, absent)
        return
      case 'length':
        this.#length(node.base, absent)
        return
      case 'hash':
        this.#hash(node, absent)
        return
      case 'arithmetic':
        this.#value(node.of, absent)
        if (node.operation === 'and') code.alu('and', R0, node.by | 0)
        else if (node.operation === 'shiftRight') code.alu('rsh', R0, node.by)
        else {
          constant(code, R1, node.by)
          code.alu('mod', R0, R1)
        }
        return
    }
  }

  #field(name: keyof typeof FILTER_FIELDS, absent: string): void {
    const code = this.#code
    const meaning = FILTER_FIELDS[name]
    if ('fact' in meaning) {
      read(code, R0, meaning.fact)
      code.jumpIf(R0, 'eq', ABSENT[meaning.fact], absent)
      return
    }
    const { base, offset, width, shift, mask, version, protocols } = meaning
    if (version !== 0) {
      read(code, R1, 'version')
      code.jumpIf(R1, 'ne', version, absent)
    }
    if (protocols.length > 0) {
      const right = this.#label()
      read(code, R1, 'protocol')
      for (const one of protocols) code.jumpIf(R1, 'eq', one, right)
      code.jump(absent).label(right)
    }
    this.#load(base, offset, width, absent)
    if (shift > 0) code.alu('rsh', R0, shift)
    if (mask !== 0xffff_ffff) code.alu('and', R0, mask)
  }

  /** R4 = a pointer to where `base` begins, with `bytes` behind it inside the packet; clobbers R1 to R5. */
  #point(base: FilterBase, bytes: number, absent: string): void {
    const code = this.#code
    if (base === 'frame') {
      code.mov(R4, DATA).mov(R5, DATA).add(R5, bytes).jumpIf(R5, 'gt', DATA_END, absent)
      return
    }
    read(code, R1, base)
    code.jumpIf(R1, 'eq', ABSENT[base], absent).mov(R2, R1).add(R2, bytes)
    read(code, R3, 'end')
    code.jumpIf(R2, 'gt', R3, absent)
    pointInto(code, R4, R1, R5, bytes, absent)
  }

  #load(base: FilterBase, offset: number, width: 1 | 2 | 4, absent: string): void {
    this.#point(base, offset + width, absent)
    const bits = (width * 8) as 8 | 16 | 32
    this.#code.load(bits, R0, R4, offset)
    if (bits !== 8) this.#code.toBigEndian(bits, R0)
  }

  #length(base: FilterBase, absent: string): void {
    const code = this.#code
    if (base === 'frame') {
      read(code, R0, 'frameEnd')
      return
    }
    read(code, R1, base)
    code.jumpIf(R1, 'eq', ABSENT[base], absent)
    read(code, R0, 'end')
    code.alu('sub', R0, R1)
  }

  #hash({ base, offset, length, seed }: FilterValue & { kind: 'hash' }, absent: string): void {
    const code = this.#code
    this.#point(base, offset + length, absent)
    constant(code, R0, (FNV_BASIS ^ seed) >>> 0)
    for (let i = 0; i < length; i++) {
      code
        .load(8, R1, R4, offset + i)
        .alu('xor', R0, R1)
        .alu('mul', R0, FNV_PRIME)
      code.alu('lsh', R0, 32).alu('rsh', R0, 32)
    }
    code.mov(R1, R0).alu('rsh', R1, 16).alu('xor', R0, R1)
  }

  #go(label: string, next: string): void {
    if (label !== next) this.#code.jump(label)
  }

  #label(): string {
    return `filter-${this.#labels++}`
  }
}

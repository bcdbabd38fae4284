import { ParakernelError } from '@parakernel/hal'

/** RFC 1035 section 3.1: a label has at most 63 bytes, a name 255 with its length bytes and the root. */
const LONGEST_LABEL = 63
const LONGEST_NAME = 255
/** The two high bits of a length byte: the next 14 bits say where in the message the rest of the name stands (section 4.1.4). */
const POINTER = 0xc0

/**
 * The form in which names are compared and remembered: lower case, without the dot at the end; the root is the empty string.
 * Dots and backslashes inside a label are escaped, bytes outside of printable ASCII as `\DDD` (section 5.1).
 * @throws EINVAL
 */
export function normalizeName(text: string): string {
  const name = (text.endsWith('.') && !text.endsWith('\\.') ? text.slice(0, -1) : text).toLowerCase()
  encodeName(name)
  return name
}

/** The bytes of a name, without compression. @throws EINVAL */
export function encodeName(name: string): Uint8Array {
  const out: number[] = []
  let label: number[] = []
  const endLabel = () => {
    if (label.length === 0 || label.length > LONGEST_LABEL) throw notAName(name, 'a label has 1 to 63 bytes')
    out.push(label.length, ...label)
    label = []
  }
  for (let i = 0; i < name.length; i++) {
    const c = name[i]
    if (c === '.') {
      endLabel()
      continue
    }
    let code = name.charCodeAt(i)
    if (c === '\\') {
      const digits = /^\d{3}/.exec(name.slice(i + 1))?.[0]
      code = digits === undefined ? name.charCodeAt(i + 1) : Number(digits)
      i += digits === undefined ? 1 : 3
    } else if (code <= 0x20 || code > 0x7e) {
      throw notAName(name, 'it has a blank or a character outside of ASCII')
    }
    if (!(code <= 0xff)) throw notAName(name, 'it ends in an escape, or escapes no byte')
    label.push(code)
  }
  if (name !== '') endLabel()
  out.push(0)
  if (out.length > LONGEST_NAME) throw notAName(name, 'it has more than 255 bytes')
  return Uint8Array.from(out)
}

/** A name that was read from a message, and where what follows it stands. */
export interface DecodedName {
  readonly name: string
  readonly end: number
}

/**
 * Reads the name at `at`, following pointers. A pointer must lead backwards, before everything that was read so far, so that
 * no message can send us in circles. Undefined for a malformed one.
 */
export function decodeName(message: Uint8Array, at: number): DecodedName | undefined {
  const labels: string[] = []
  let position = at
  let end = -1
  let earliest = at
  let length = 1
  for (;;) {
    if (position >= message.length) return undefined
    const size = message[position]
    if (size === 0) {
      return { name: labels.join('.'), end: end < 0 ? position + 1 : end }
    }
    if ((size & POINTER) === POINTER) {
      if (position + 1 >= message.length) return undefined
      const target = ((size & ~POINTER) << 8) | message[position + 1]
      if (end < 0) end = position + 2
      if (target >= earliest) return undefined
      earliest = target
      position = target
      continue
    }
    if ((size & POINTER) !== 0 || position + 1 + size > message.length) return undefined
    length += size + 1
    if (length > LONGEST_NAME) return undefined
    labels.push(labelText(message.subarray(position + 1, position + 1 + size)))
    position += size + 1
  }
}

function labelText(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    const c = String.fromCharCode(byte)
    if (c === '.' || c === '\\') text += `\\${c}`
    else if (byte <= 0x20 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`
    else text += c.toLowerCase()
  }
  return text
}

function notAName(name: string, why: string): ParakernelError {
  return new ParakernelError('EINVAL', `is not a domain name: ${why}`, { subject: JSON.stringify(name) })
}

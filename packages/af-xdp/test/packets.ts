/** Small builders of frames for tests: only the fields that steering and the peers look at. */

export interface Ipv4Fields {
  readonly source?: string
  readonly destination?: string
  readonly protocol?: number
  readonly destinationPort?: number
  readonly optionWords?: number
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
}

const address4 = (text: string) => text.split('.').map(Number)

function frame(type: number, length: number): DataView {
  const view = new DataView(new ArrayBuffer(14 + length))
  // To all: what every interface lets in.
  new Uint8Array(view.buffer).fill(0xff, 0, 6)
  view.setUint16(12, type)
  return view
}

export function ipv4Packet(fields: Ipv4Fields): Uint8Array {
  const {
    source = '10.9.9.9',
    destination = '10.9.9.8',
    protocol = 17,
    destinationPort = 1,
    optionWords = 0,
    fragmentOffset = 0,
    moreFragments = false,
  } = fields
  const header = 20 + optionWords * 4
  const view = frame(0x0800, header + 8)
  const bytes = new Uint8Array(view.buffer)
  view.setUint8(14, 0x40 | (header >> 2))
  view.setUint16(16, header + 8)
  view.setUint16(20, fragmentOffset | (moreFragments ? 0x2000 : 0))
  view.setUint8(22, 64)
  view.setUint8(23, protocol)
  bytes.set(address4(source), 26)
  bytes.set(address4(destination), 30)
  view.setUint16(14 + header + 2, destinationPort)
  return bytes
}

export function ipv6Packet(fields: {
  readonly destination?: string
  readonly protocol?: number
  readonly destinationPort?: number
}): Uint8Array {
  const { destination = 'fd99::1', protocol = 17, destinationPort = 1 } = fields
  const view = frame(0x86dd, 48)
  view.setUint8(14, 0x60)
  view.setUint16(18, 8)
  view.setUint8(20, protocol)
  const [head, tail = ''] = destination.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)))
  words(head).forEach((word, i) => {
    view.setUint16(38 + i * 2, word)
  })
  words(tail).forEach((word, i, all) => {
    view.setUint16(54 - (all.length - i) * 2, word)
  })
  view.setUint16(56, destinationPort)
  return new Uint8Array(view.buffer)
}

export function arpPacket({ sender, target }: { readonly sender: string; readonly target: string }): Uint8Array {
  const view = frame(0x0806, 28)
  const bytes = new Uint8Array(view.buffer)
  bytes.set([0, 1, 8, 0, 6, 4, 0, 1], 14)
  bytes.set(address4(sender), 28)
  bytes.set(address4(target), 38)
  return bytes
}

export function withVlan(packet: Uint8Array): Uint8Array {
  const tagged = new Uint8Array(packet.length + 4)
  tagged.set(packet.subarray(0, 12))
  tagged.set([0x81, 0, 0, 7], 12)
  tagged.set(packet.subarray(12), 16)
  return tagged
}

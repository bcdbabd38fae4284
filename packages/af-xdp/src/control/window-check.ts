import { type FrameWindow, ParakernelError } from '@parakernel/hal'
import { XDP_PACKET_HEADROOM } from '@parakernel/linux'
import { ETHERNET_HEADER } from '../ethernet.ts'

const PAGE = 4096

/** Whether a window can be a UMEM that holds packets of this MTU. Throws EINVAL that says what to change. */
export function checkWindow(window: FrameWindow, mtu: number, subject: string): void {
  const invalid = (message: string, remedy: string) => new ParakernelError('EINVAL', message, { subject, remedy })
  const { frameSize, headroom, tailroom, byteOffset } = window
  if (frameSize !== 2048 && frameSize !== 4096) {
    throw invalid(`frames of ${frameSize} bytes cannot be a UMEM`, 'Use frames of 2048 or 4096 bytes')
  }
  if (byteOffset % PAGE !== 0) {
    throw invalid(`the window starts at byte ${byteOffset}, inside a page`, `Start it at a multiple of ${PAGE}`)
  }
  if (headroom < XDP_PACKET_HEADROOM) {
    throw invalid(`headroom ${headroom} is less than the kernel's own`, `Use at least ${XDP_PACKET_HEADROOM}`)
  }
  const room = frameSize - headroom - tailroom
  if (room < mtu + ETHERNET_HEADER) {
    throw invalid(`${room} bytes a frame cannot hold a packet at MTU ${mtu}`, 'Use larger frames, or a smaller MTU')
  }
}

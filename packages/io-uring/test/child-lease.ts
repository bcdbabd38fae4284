import {
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  createPlainWindow,
  FramePool,
  MonotonicClock,
  type ParakernelError,
} from '@parakernel/hal'
import {
  enableIoUring,
  IORING_OP_OPENAT,
  IORING_OP_READ,
  IORING_OP_WRITE,
  IOSQE_FIXED_FILE,
  IoUring,
  mapIoUring,
  regionAddress,
  registerFiles,
} from '@parakernel/linux'
import { blockBackend, type LeaseTicket, openProcessLease } from '../src/index.ts'
import { QueueUser, whole } from './rig.ts'

/** What a process that was given a lease could do. Results are statuses and errnos of the kernel. */
export interface LeaseReport {
  readonly inside: number[]
  readonly readBack: boolean
  readonly refused: number
  readonly rawBeyondRead: number
  readonly rawBeyondWrite: number
  readonly rawFarWrite: number
  readonly rawOpen: number
  readonly rawPlainDescriptor: number
  readonly register: string
  readonly outsideDescriptor: number
}

const RING = 3
const WAKE = 4
const STATUS = 5
const ticket = JSON.parse(process.argv[2]) as LeaseTicket
const device = openProcessLease(ticket, [RING, WAKE, STATUS])
const window = createPlainWindow(16, { frameSize: 4096, headroom: 0 })
const grant = device.grant(0, whole(device), window)
const user = new QueueUser(blockBackend.attach(grant, { pool: new FramePool(window), clock: new MonotonicClock() }))

const { blockSize } = ticket.capabilities
const last = ticket.blocks - 1
const source = user.frame(0x21)
const target = user.frame(0)
const one = (opcode: number, lba: number, frame: number) => {
  const outcome = user.run({ opcode, lba, blocks: 1, segments: [[frame, 0, blockSize]] })
  return outcome === 'refused' ? 1 : outcome.status
}
const zeroed = user.run({ opcode: BLOCK_WRITE_ZEROES, lba: 5, blocks: 2 })
const flushed = user.run({ opcode: BLOCK_FLUSH })
const inside = [
  one(BLOCK_WRITE, 0, source),
  one(BLOCK_WRITE, last, source),
  zeroed === 'refused' ? 1 : zeroed.status,
  flushed === 'refused' ? 1 : flushed.status,
  one(BLOCK_READ, last, target),
]
const readBack = user.bytes(target, 0, blockSize).every((byte) => byte === 0x21)
const refused = one(BLOCK_WRITE, last + 1, source) + one(BLOCK_READ, 2 ** 40, target) + one(BLOCK_WRITE, -1, source)

// As an enemy would: around the code of the package, on the ring itself.
device.reclaim(grant)
const ring = new IoUring(mapIoUring(RING, ticket.params, 'raw').ring)
const address = regionAddress(window.region)
const fixed = IOSQE_FIXED_FILE << 8
function raw(word: number, fd: number, offset: number, length = 4096): number {
  ring.prepare(ring.next(), word, fd, offset, address, length, 0, 9)
  ring.submit(1)
  ring.ready()
  const result = ring.cqe[ring.front() + 2]
  ring.pop()
  ring.release()
  return result
}
function register(): string {
  try {
    registerFiles(RING, [0], 'raw')
  } catch (error) {
    return (error as ParakernelError).code
  }
  try {
    enableIoUring(RING, 'raw')
  } catch (error) {
    return (error as ParakernelError).code
  }
  return 'allowed'
}

const end = ticket.blocks * blockSize
const report: LeaseReport = {
  inside,
  readBack,
  refused,
  rawBeyondRead: raw(IORING_OP_READ | fixed, 0, end),
  rawBeyondWrite: ticket.enforcedBy === 'loop-device' ? raw(IORING_OP_WRITE | fixed, 0, end) : 0,
  rawFarWrite: ticket.enforcedBy === 'loop-device' ? raw(IORING_OP_WRITE | fixed, 0, end * 1024) : 0,
  rawOpen: raw(IORING_OP_OPENAT | fixed, 0, 0),
  rawPlainDescriptor: raw(IORING_OP_WRITE, 1, 0),
  register: register(),
  outsideDescriptor: raw(IORING_OP_READ | fixed, 1, 0),
}
console.log(JSON.stringify(report))

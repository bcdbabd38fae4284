import { address64, follow } from './data-pointer.ts'
import { FEATURE_EVENTS, FEATURE_TEMPERATURE } from './features.ts'
import {
  activeNamespacesPage,
  commandSetPage,
  controllerPage,
  descriptorsPage,
  EVENT_REQUEST_LIMIT,
  namespacePage,
} from './identify-pages.ts'
import type { ControllerParts } from './parts.ts'
import { CompletionQueue, type FetchedCommand, SubmissionQueue } from './queues.ts'
import {
  ABORT_REQUESTED,
  ABORTED_QUEUE_DELETED,
  EVENT_LIMIT_EXCEEDED,
  INVALID_COMPLETION_QUEUE,
  INVALID_FIELD,
  INVALID_LOG_PAGE,
  INVALID_NAMESPACE,
  INVALID_OPCODE,
  INVALID_PRP_OFFSET,
  INVALID_QUEUE_DELETION,
  INVALID_QUEUE_IDENTIFIER,
  INVALID_QUEUE_SIZE,
  INVALID_VECTOR,
  SUCCESS,
} from './status.ts'

/** The command is not completed now: an event request. */
export const PENDING = -1
const PAGE = 4096
const ALL_NAMESPACES = 0xffff_ffff

/** Does an admin command; returns its status, or `PENDING`. */
export function executeAdmin(parts: ControllerParts, command: FetchedCommand): number {
  const { words } = command
  // Fused operations and SGLs are not for admin commands of a controller on PCI.
  if ((words[0] & 0xff00) !== 0) return INVALID_FIELD
  switch (command.opcode) {
    case 0x00:
      return deleteSubmissionQueue(parts, words)
    case 0x01:
      return createSubmissionQueue(parts, words)
    case 0x02:
      return getLogPage(parts, words)
    case 0x04:
      return deleteCompletionQueue(parts, words)
    case 0x05:
      return createCompletionQueue(parts, words)
    case 0x06:
      return identify(parts, words)
    case 0x08:
      return abort(parts, words)
    case 0x09:
      return setFeatures(parts, words)
    case 0x0a:
      return parts.features.get(words[10] & 0xff, (words[10] >>> 8) & 7, parts.result)
    case 0x0c:
      if (parts.eventRequests.length >= EVENT_REQUEST_LIMIT) return EVENT_LIMIT_EXCEEDED
      parts.eventRequests.push(command)
      return PENDING
    default:
      return INVALID_OPCODE
  }
}

function createCompletionQueue(parts: ControllerParts, words: Int32Array): number {
  const { options, completions, features } = parts
  const queue = words[10] & 0xffff
  const entries = (words[10] >>> 16) + 1
  const address = address64(words, 6)
  const vector = words[11] >>> 16
  const interrupts = (words[11] & 2) !== 0
  if (queue === 0 || queue > features.queues || completions.has(queue)) return INVALID_QUEUE_IDENTIFIER
  if (entries < 2 || entries > options.queueEntries) return INVALID_QUEUE_SIZE
  if ((words[11] & 1) === 0) return INVALID_FIELD // Not contiguous, which CAP.CQR forbids.
  if (address % PAGE !== 0 || address === 0) return INVALID_PRP_OFFSET
  if (interrupts && vector >= options.vectors) return INVALID_VECTOR
  completions.set(queue, new CompletionQueue(queue, entries, address, interrupts ? vector : -1))
  return SUCCESS
}

function createSubmissionQueue(parts: ControllerParts, words: Int32Array): number {
  const { options, submissions, completions, features } = parts
  const queue = words[10] & 0xffff
  const entries = (words[10] >>> 16) + 1
  const address = address64(words, 6)
  const completion = completions.get(words[11] >>> 16)
  if (completion === undefined || completion.number === 0) return INVALID_COMPLETION_QUEUE
  if (queue === 0 || queue > features.queues || submissions.has(queue)) return INVALID_QUEUE_IDENTIFIER
  if (entries < 2 || entries > options.queueEntries) return INVALID_QUEUE_SIZE
  if ((words[11] & 1) === 0) return INVALID_FIELD
  if (address % PAGE !== 0 || address === 0) return INVALID_PRP_OFFSET
  submissions.set(queue, new SubmissionQueue(queue, entries, address, completion))
  completion.users++
  return SUCCESS
}

/** Everything that was not done is aborted, and completed before this is. */
function deleteSubmissionQueue({ submissions, cancel }: ControllerParts, words: Int32Array): number {
  const number = words[10] & 0xffff
  const queue = submissions.get(number)
  if (number === 0 || queue === undefined) return INVALID_QUEUE_IDENTIFIER
  cancel((command) => command.queue === queue, ABORTED_QUEUE_DELETED)
  queue.completions.users--
  submissions.delete(number)
  return SUCCESS
}

function deleteCompletionQueue({ completions }: ControllerParts, words: Int32Array): number {
  const number = words[10] & 0xffff
  const queue = completions.get(number)
  if (number === 0 || queue === undefined) return INVALID_QUEUE_IDENTIFIER
  if (queue.users > 0) return INVALID_QUEUE_DELETION
  completions.delete(number)
  return SUCCESS
}

/** Dword 0 bit 0 is clear when the command was aborted. */
function abort({ cancel, result, submissions }: ControllerParts, words: Int32Array): number {
  const queue = words[10] & 0xffff
  if (!submissions.has(queue)) return INVALID_FIELD
  const identifier = words[10] >>> 16
  const aborted = cancel(
    (command) => command.queue.number === queue && command.identifier === identifier && command.hung !== 'for-ever',
    ABORT_REQUESTED,
  )
  result[0] = aborted > 0 ? 0 : 1
  return SUCCESS
}

function identify(parts: ControllerParts, words: Int32Array): number {
  const { namespaces, options } = parts
  const number = words[1] >>> 0
  const namespace = namespaces.get(number)
  switch (words[10] & 0xff) {
    case 0x00:
      if (namespace !== undefined) return give(parts, words, namespacePage(namespace, options))
      // A number that could be used, and is not active, has an empty structure.
      return number > 0 && number <= options.namespaces.length
        ? give(parts, words, new Uint8Array(PAGE))
        : INVALID_NAMESPACE
    case 0x01:
      return give(parts, words, controllerPage(options))
    case 0x02:
      return number >= 0xffff_fffe
        ? INVALID_NAMESPACE
        : give(parts, words, activeNamespacesPage(namespaces.keys(), number))
    case 0x03:
      return namespace === undefined ? INVALID_NAMESPACE : give(parts, words, descriptorsPage(namespace, options))
    case 0x06:
      return words[11] >>> 24 === 0 ? give(parts, words, commandSetPage()) : INVALID_FIELD
    default:
      return INVALID_FIELD
  }
}

function getLogPage(parts: ControllerParts, words: Int32Array): number {
  const { health } = parts
  const page = words[10] & 0xff
  const length = (((words[10] >>> 16) | ((words[11] & 0xffff) << 16)) + 1) * 4
  const namespace = words[1] >>> 0
  let bytes: Uint8Array
  if (page === 0x01) bytes = health.errorPage()
  else if (page === 0x02) {
    if (namespace !== 0 && namespace !== ALL_NAMESPACES) return INVALID_FIELD
    bytes = health.smartPage()
  } else if (page === 0x03) bytes = health.firmwarePage()
  else if (page === 0x04) bytes = health.changedPage()
  else return INVALID_LOG_PAGE
  const data = new Uint8Array(length)
  data.set(bytes.subarray(0, length))
  const status = give(parts, words, data)
  // Bit 15: retain asynchronous event.
  if (status === SUCCESS && (words[10] & 0x8000) === 0) health.logRead(page)
  return status
}

function setFeatures(parts: ControllerParts, words: Int32Array): number {
  const feature = words[10] & 0xff
  const value = words[11]
  const inUse = parts.submissions.size > 1 || parts.completions.size > 1
  const status = parts.features.set(feature, words[10] < 0, value, inUse, parts.result)
  if (status !== SUCCESS) return status
  if (feature === FEATURE_EVENTS) parts.health.eventMask = value
  if (feature === FEATURE_TEMPERATURE) parts.health.temperatureThreshold = value & 0xffff
  return SUCCESS
}

/** Writes data to where the command points. */
function give({ bus, chunks, health }: ControllerParts, words: Int32Array, data: Uint8Array): number {
  const status = follow(bus, words, data.length, false, chunks)
  if (status === INVALID_PRP_OFFSET) health.counters.misalignedPointers++
  if (status !== SUCCESS) return status
  let at = 0
  for (let i = 0; i < chunks.count; i++) {
    chunks.bytes[i].set(data.subarray(at, at + chunks.lengths[i]), chunks.offsets[i])
    at += chunks.lengths[i]
  }
  return SUCCESS
}

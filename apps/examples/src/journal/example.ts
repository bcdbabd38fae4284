import type { Example } from '../example.ts'

export const journal: Example = {
  name: 'journal',
  summary: 'appends records to a file, crashes, opens it again and lists them: files are queues too',
  ends: [
    { name: 'writer', acts: true, crashes: true },
    { name: 'reader', acts: true },
  ],
  inTurn: true,
  settings: {
    count: { type: 'integer', min: 1, max: 1_000_000, default: 20, description: 'records' },
    path: { type: 'string', default: '/journal', description: 'the file' },
    crash: {
      type: 'string',
      values: ['partition', 'process'],
      default: 'partition',
      description: 'what ends without another word: the thread of the writer, or the whole process',
    },
  },
  defaults: { storage: { backend: 'emulated', name: 'journal' } },
}

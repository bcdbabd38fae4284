export { type ConnectOptions, connectStream } from './connect-stream.ts'
export { listenStream, StreamListener, type StreamListenOptions } from './listen-stream.ts'
export { Stream, type StreamEvents } from './stream.ts'

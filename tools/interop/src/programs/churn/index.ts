export { churn } from './client.ts'
export { type Outcomes, serveChurn } from './server.ts'
export { WAYS, type Way } from './ways.ts'

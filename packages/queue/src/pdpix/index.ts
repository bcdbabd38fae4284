export { Pdpix, type PdpixParts } from './pdpix.ts'

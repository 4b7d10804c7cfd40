/** What the drivers cost: calls to Proxmox's API a drained guest. */
import process from 'node:process'
import { countApiCalls } from './drivers/api-calls.ts'

const figures = { apiCalls: { plain: await countApiCalls(20, false), withHa: await countApiCalls(20, true) } }
process.stdout.write(`${JSON.stringify(figures, undefined, process.argv.includes('--json') ? 0 : 2)}\n`)

/** What `ha-manager crm-command node-maintenance` answers in the simulated world: `POST /ha-manager {node, on}`. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { setMaintenanceMode } from '#lab/world/commands'
import { consultApi } from '#lab/world/queries'
import type { World } from '#lab/world/state'

export type HaManagerAnswer = { readonly code: number; readonly stderr: string }

const SSH_FAILED = 255

/** The command is taken at once and carried out by the CRM some seconds later: read the node's state afterwards. */
export function haManagerRequest(world: World, body: unknown): HaManagerAnswer {
  if (
    typeof body !== 'object' ||
    body === null ||
    !('node' in body) ||
    !('on' in body) ||
    typeof body.node !== 'string'
  ) {
    throw new DriverError('lab', 'answer an ha-manager command', { retry: 'never', text: 'it names no node' })
  }
  const verdict = consultApi(world, {
    api: 'proxmox',
    method: 'POST',
    path: `/ha-manager/node-maintenance/${body.node}`,
  })
  if (verdict.is === 'error') return { code: SSH_FAILED, stderr: 'ssh: connect to host: Connection timed out\n' }
  const answer = setMaintenanceMode(world, body.node as NodeName, body.on === true, 'us')
  if (verdict.is === 'answer-lost') return { code: SSH_FAILED, stderr: 'Connection closed by remote host\n' }
  return answer.is === 'done' ? { code: 0, stderr: '' } : { code: SSH_FAILED, stderr: `${answer.text}\n` }
}

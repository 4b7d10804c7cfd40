/** What the doctor says of maintenance mode: is each node reached, does its key fit, and is it no wider than needed. Changes nothing. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { NODE_SCRIPT_PLACE, NODE_SCRIPT_VERSION, type NodeRight } from '#drivers/exec/node-key'
import { runOnNode, type SshNodes, type SshTarget, targetsOf } from '#drivers/exec/ssh'

const DEADLINE_MS = 10_000
const REFUSED = 77
const MEND_KEY = './coulisse init --print-authorized-keys, and its line in /root/.ssh/authorized_keys on the node'
const MEND_SCRIPT = `install the forced command of this version as ${NODE_SCRIPT_PLACE} (./coulisse init --print-authorized-keys)`

export type NodeAccess = {
  readonly ssh?: SshNodes | undefined
  /** What our key is there for; more than these is said as dangerous. */
  readonly rights: readonly NodeRight[]
  /** Maintenance mode is set by a command of the operator's own, which nobody looks into. */
  readonly byOwnCommand?: boolean
}

/** One check a node that our key is for, and one where maintenance mode has no way. Never throws for what it finds. */
export async function examineHaManager({ ssh, rights, byOwnCommand = false }: NodeAccess): Promise<readonly Check[]> {
  const ofNodes =
    ssh === undefined || rights.length === 0
      ? []
      : await Promise.all(targetsOf(ssh).map((target) => examineNode(target, rights)))
  if (byOwnCommand) {
    const text = 'maintenance mode is set by a command of your own; what it may do is not looked at'
    return [...ofNodes, { area: 'ha-manager', subject: 'proxmox.haManager', outcome: 'fine', text }]
  }
  if (ssh !== undefined && rights.includes('maintenance-mode')) return ofNodes
  const text =
    'no way to set HA maintenance mode: HA guests on a node block its maintenance, until an approver lifts maintenance-mode-unavailable'
  const mend = `${MEND_KEY}; then ssh: { key: …, knownHosts: … } and proxmox: { haManager: ssh }`
  return [
    ...ofNodes,
    { area: 'ha-manager', subject: 'proxmox.haManager', outcome: 'missing', text, stages: ['drain'], mend },
  ]
}

async function examineNode(target: SshTarget, rights: readonly NodeRight[]): Promise<Check> {
  const of = { area: 'ha-manager', subject: target.node } as const
  const missing = (text: string, mend: string): Check => ({ ...of, outcome: 'missing', text, stages: ['drain'], mend })
  const dangerous = (text: string, mend: string): Check => ({ ...of, outcome: 'dangerous', text, mend })
  try {
    const asked = { driver: 'ha-manager', doing: `look at ${target.node}`, deadlineMs: DEADLINE_MS }
    const ran = await runOnNode({ ...asked, words: ['coulisse-node', 'check'] }, target)
    const told = tell(ran.stdout)
    if (ran.code === REFUSED || (ran.code === 0 && told === undefined)) return missing(lastLine(ran), MEND_SCRIPT)
    if (told === undefined) {
      const text = `our key may run every command as ${target.user}: no forced command limits it`
      return dangerous(text, MEND_KEY)
    }
    if (told.version !== NODE_SCRIPT_VERSION) {
      return missing(
        `its forced command is version ${told.version}, this program needs ${NODE_SCRIPT_VERSION}`,
        MEND_SCRIPT,
      )
    }
    const lacking = rights.filter((right) => !told.rights.includes(right))
    if (lacking.length > 0) return missing(`our key has no right ${lacking.join(', ')}`, MEND_KEY)
    if (!told.hasHaManager)
      return missing('there is no ha-manager: is it a Proxmox VE node?', 'check the node’s address')
    const more = told.rights.filter((right) => !rights.includes(right as NodeRight))
    if (more.length > 0) return dangerous(`our key has more rights than we use: ${more.join(', ')}`, MEND_KEY)
    return { ...of, outcome: 'fine', text: `our key may do ${told.rights.join(', ')} and nothing else` }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const text = error.message.replace(`${error.driver}: ${error.doing}: `, '')
    if (text.includes('somebody else answers'))
      return dangerous(text, `compare the host key of ${target.node} on its console`)
    return missing(text, text.includes('refuses the key') ? MEND_KEY : `mend what ssh says, then run doctor again`)
  }
}

/** "coulisse-node 1\nrights maintenance-mode\nha-manager yes\n…"; undefined: no forced command of ours spoke. */
function tell(stdout: string) {
  const version = /^coulisse-node (\d+)$/m.exec(stdout)?.[1]
  if (version === undefined) return undefined
  const rights = /^rights ?(.*)$/m.exec(stdout)?.[1] ?? ''
  return {
    version: Number(version),
    rights: rights.split(' ').filter((right) => right !== ''),
    hasHaManager: /^ha-manager yes$/m.test(stdout),
  }
}

const lastLine = ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) =>
  `${stderr}\n${stdout}`.trim().split('\n').at(-1)?.trim().slice(0, 200) || 'it answers nothing to a check'

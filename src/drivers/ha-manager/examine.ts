/** What the doctor says of maintenance mode: is each node reached, does its key fit, and is it no wider than needed. Changes nothing. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import type { Stage } from '#domain/maintenance'
import { NODE_SCRIPT_PLACE, NODE_SCRIPT_VERSION, type NodeRight } from '#drivers/exec/node-key'
import { runOnNode, type SshNodes, type SshTarget, targetsOf } from '#drivers/exec/ssh'

const DEADLINE_MS = 10_000
const REFUSED = 77
/** Prints the line of authorized_keys, and how the forced command gets onto the nodes. */
const mendKey = (key: string, rights: readonly NodeRight[]) =>
  `./coulisse init --print-authorized-keys --ssh-key ${key} --key-rights ${rights.join(',')}`
const mendScript = (key: string, rights: readonly NodeRight[]) =>
  `put the forced command of this version at ${NODE_SCRIPT_PLACE}: ${mendKey(key, rights)}`

const STAGES_OF: Readonly<Record<NodeRight, readonly Stage[]>> = {
  'maintenance-mode': ['drain'],
  'stop-osd': ['isolate'],
  ceph: ['plan', 'isolate', 'reintegrate'],
}

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
  const mend = `${mendKey(ssh?.key ?? '/etc/coulisse/id_ed25519', [...new Set<NodeRight>(['maintenance-mode', ...rights])])}; then ssh: { key: …, knownHosts: … } and proxmox: { haManager: ssh }`
  return [
    ...ofNodes,
    { area: 'ha-manager', subject: 'proxmox.haManager', outcome: 'missing', text, stages: ['drain'], mend },
  ]
}

async function examineNode(target: SshTarget, rights: readonly NodeRight[]): Promise<Check> {
  const of = { area: 'ha-manager', subject: target.node } as const
  const stages = [...new Set(rights.flatMap((right) => STAGES_OF[right]))]
  const missing = (text: string, mend: string): Check => ({ ...of, outcome: 'missing', text, stages, mend })
  const [toMendKey, toMendScript] = [mendKey(target.key, rights), mendScript(target.key, rights)]
  const dangerous = (text: string, mend: string): Check => ({ ...of, outcome: 'dangerous', text, mend })
  try {
    const asked = { driver: 'ha-manager', doing: `look at ${target.node}`, deadlineMs: DEADLINE_MS }
    const ran = await runOnNode({ ...asked, words: ['coulisse-node', 'check'] }, target)
    const told = tell(ran.stdout)
    if (ran.code === REFUSED || (ran.code === 0 && told === undefined)) return missing(lastLine(ran), toMendScript)
    if (told === undefined) {
      const text = `our key may run every command as ${target.user}: no forced command limits it`
      return dangerous(text, toMendKey)
    }
    if (told.version !== NODE_SCRIPT_VERSION) {
      return missing(
        `its forced command is version ${told.version}, this program needs ${NODE_SCRIPT_VERSION}`,
        toMendScript,
      )
    }
    const lacking = rights.filter((right) => !told.rights.includes(right))
    if (lacking.length > 0) return missing(`our key has no right ${lacking.join(', ')}`, toMendKey)
    if (!told.hasHaManager)
      return missing('there is no ha-manager: is it a Proxmox VE node?', 'check the node’s address')
    const more = told.rights.filter((right) => !rights.includes(right as NodeRight))
    if (more.length > 0) return dangerous(`our key has more rights than we use: ${more.join(', ')}`, toMendKey)
    return { ...of, outcome: 'fine', text: `our key may do ${told.rights.join(', ')} and nothing else` }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const text = error.message.replace(`${error.driver}: ${error.doing}: `, '')
    if (text.includes('somebody else answers'))
      return dangerous(text, `compare the host key of ${target.node} on its console`)
    return missing(text, text.includes('refuses the key') ? toMendKey : `mend what ssh says, then run doctor again`)
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

/** The lab as a process: one simulated world behind the real protocols, its time, its control URL, its file. */
import { existsSync } from 'node:fs'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Snapshot } from '#domain/snapshot'
import type { Pace } from '#lab/keeper/keeper'
import { type LabProcess, startLabProcess } from '#lab/keeper/lab-process'
import { customersOf, labInventory, OPERATOR_MAIL, TECHNICIAN_MAIL } from '#lab/ports/inventory'
import { cephRequest, plainText } from '#lab/wire/ceph-cli/answer'
import { haManagerRequest } from '#lab/wire/ha-manager-cli/answer'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import { makeToken } from '#lab/wire/proxmox/tokens'
import { serveRedfish } from '#lab/wire/redfish/redfish-server'
import { serveSmtp } from '#lab/wire/smtp/serve-smtp'

import { type RealOptions, type RealReady, snapshotForReal, startRealLab } from './lab-real.ts'

export type LabServerOptions = {
  readonly snapshot: Snapshot
  readonly seed: number
  readonly pace: Pace
  /** Absent: the world is forgotten when the process ends. */
  readonly worldFile?: string
  readonly controlPort?: number
  /** Real Ceph, real BMCs and these real guests beneath the world, kept in this folder while it runs. */
  readonly real?: RealOptions
  readonly log?: (line: string) => void
}

export type LabServer = { readonly ready: ReadyLine; readonly lab: LabProcess; close(): Promise<void> }

/** The contract's ready line, and what a configuration needs besides. */
export type ReadyLine = Omit<Awaited<ReturnType<typeof describe>>, 'ceph'> & {
  readonly ceph: unknown
  readonly ipmi?: RealReady['ipmi']
}

export async function startLabServer(options: LabServerOptions): Promise<LabServer> {
  const startAtMs = options.snapshot.cluster.observedAtMs
  const { log = () => {} } = options
  const snapshot =
    options.real === undefined ? options.snapshot : snapshotForReal(options.snapshot, options.real.guests)
  const lab = await startLabProcess({ ...options, snapshot, startAtMs })
  const real = options.real === undefined ? undefined : await startRealLab(lab, options.real, log)
  const onChange = () => lab.beforeAnswer()
  const proxmox = await serveProxmox({ lab: lab.lab, onChange })
  const redfish = await serveRedfish({ lab: lab.lab, onChange })
  const smtp = await serveSmtp({ lab: lab.lab, onChange })
  addCommandRoutes(lab)
  const described = await describe(lab, { proxmox, redfish, smtpPort: smtp.port })
  // What is real stands in for what the lab would have simulated.
  const ready = real === undefined ? described : { ...described, redfish: [], ...real.ready }
  return {
    ready,
    lab,
    close: async () => {
      await Promise.all([proxmox.close(), redfish.close(), smtp.close()])
      await real?.close()
      await lab.close()
    },
  }
}

/** What the stand-ins for `ceph` and `ha-manager` ask, and Proxmox tokens with fewer rights. */
function addCommandRoutes({ control, lab }: LabProcess): void {
  control.on('POST /ceph', (body) => {
    const answer = cephRequest(lab.state, body)
    return { status: 200, body: answer, ...(isPlain(body) ? { text: plainText(answer) } : {}) }
  })
  control.on('POST /tokens', (body) => makeToken(lab.state, body))
  control.on('POST /ha-manager', (body) => ({ status: 200, body: haManagerRequest(lab.state, body) }))
}

/** The shell's stand-in reads no JSON. */
const isPlain = (body: unknown) => typeof body === 'object' && body !== null && 'plain' in body && body.plain === true

const BASH = '/bin/bash'

/** Both stand-ins say the same; the shell's starts ten times faster. */
const cephCommand = () =>
  existsSync(BASH)
    ? [BASH, commandPath('../lab/wire/ceph-cli/ceph.sh')]
    : [execPath, commandPath('../lab/wire/ceph-cli/ceph.mjs')]

const commandPath = (path: string) => fileURLToPath(import.meta.resolve(path))

async function describe(
  process: LabProcess,
  wires: {
    readonly proxmox: Awaited<ReturnType<typeof serveProxmox>>
    readonly redfish: Awaited<ReturnType<typeof serveRedfish>>
    readonly smtpPort: number
  },
) {
  const { lab, controlUrl } = process
  const { redfish } = wires
  const inventory = labInventory(lab)
  const nodes: Record<string, unknown> = {}
  for (const node of Object.values(lab.state.nodes)) {
    nodes[node.name] = { ...(await inventory.place(node.name)), systemUuid: node.systemUuid, chassis: node.chassis }
  }
  const customers: Record<string, unknown> = {}
  for (const id of customersOf(lab)) {
    const { name, language, mail } = (await inventory.customer(id)) ?? { name: id, language: 'en', mail: undefined }
    customers[id] = { name, language, mail }
  }
  const env = { COULISSE_LAB_CONTROL: controlUrl }
  return {
    ready: true as const,
    simulated: true as const,
    cluster: lab.state.cluster.name,
    proxmox: wires.proxmox.endpoints,
    redfish: Object.entries(redfish.urls).map(([node, url]) => ({
      node,
      url,
      user: redfish.user,
      password: redfish.password.reveal(),
      fingerprint256: redfish.fingerprint256,
    })),
    smtp: `127.0.0.1:${wires.smtpPort}`,
    control: controlUrl,
    ceph:
      lab.state.ceph === 'none'
        ? 'none'
        : { command: cephCommand(), env, stopOsds: [...cephCommand(), 'stop-osd', '{osd}'] },
    haManager: {
      command: [
        execPath,
        commandPath('../lab/wire/ha-manager-cli/ha-manager.mjs'),
        '{on}',
        'ha-manager',
        'crm-command',
        'node-maintenance',
        '{action}',
        '{node}',
      ],
      env,
    },
    nodes,
    customers,
    operatorMail: OPERATOR_MAIL,
    technicianMail: TECHNICIAN_MAIL,
  }
}

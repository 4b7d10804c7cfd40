/** The configuration that an operator would write by hand for his own cluster, written for the lab's from its ready line. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ReadyLine } from '../lab-server.ts'

const WATCH_EVERY_S = 300

/** Secrets go into files of their own that only the owner may read. Answers the configuration's path. */
export function writeConfig(stateDir: string, ready: ReadyLine, databaseUrl: string): string {
  const secret = secretWriter(stateDir)
  const [host = '127.0.0.1', port = '25'] = ready.smtp.split(':')
  const tokenSecret = secret('proxmox-token', ready.proxmox[0]?.tokenSecret ?? '')
  const config = {
    cluster: ready.cluster,
    hoster: 'Coulisse Lab Hosting',
    stateDir,
    listen: '127.0.0.1:0',
    database: { url: databaseUrl },
    proxmox: {
      entryPoints: ready.proxmox.map(({ node, url, tokenId, fingerprint256 }) => ({
        node,
        url,
        tokenId,
        tokenSecret,
        fingerprint256,
      })),
      haManager: ready.haManager.command,
    },
    ceph: ready.ceph,
    nodes: nodesOf(ready, secret),
    customers: ready.customers,
    smtp: { host, port: Number(port), from: 'care@hoster.example' },
    operatorMail: ready.operatorMail,
    technicianMail: ready.technicianMail,
    watch: { everyS: WATCH_EVERY_S },
    lab: { control: ready.control },
  }
  const path = join(stateDir, 'config.yaml')
  // Through JSON: what is undefined is left out.
  writeFileSync(`${path}.new`, stringify(JSON.parse(JSON.stringify(config))))
  renameSync(`${path}.new`, path)
  return path
}

type WriteSecret = (name: string, value: string) => { readonly file: string }

function secretWriter(stateDir: string): WriteSecret {
  const folder = join(stateDir, 'secrets')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  return (name, value) => {
    const path = join(folder, name)
    writeFileSync(path, value, { mode: 0o600 })
    return { file: path }
  }
}

/** Each node with where it stands and its BMC: Redfish from the lab, IPMI where the BMCs are real. */
function nodesOf(ready: ReadyLine, secret: WriteSecret): Readonly<Record<string, unknown>> {
  const redfish = ready.redfish.map(({ node, password, ...bmc }) => ({
    node,
    password,
    bmc: { kind: 'redfish', ...bmc },
  }))
  const ipmi = (ready.ipmi ?? []).map(({ node, password, ...bmc }) => ({
    node,
    password,
    bmc: { kind: 'ipmi', ...bmc },
  }))
  return Object.fromEntries(
    [...redfish, ...ipmi].map(({ node, password, bmc }) => [
      node,
      { ...(ready.nodes[node] as object), bmc: { ...bmc, password: secret(`bmc-${node}`, password) } },
    ]),
  )
}

/** Recorded answers, and who the nodes in them are. */
import { readFileSync } from 'node:fs'
import { nodeName } from '#domain/ids'
import { DEFAULT_NODE_LABELS, DEFAULT_PART_LABELS, type Placing } from './placing.ts'

const folder = new URL('../../../contracts/recordings/prometheus/', import.meta.url)

export const recordedText = (name: string) => readFileSync(new URL(name, folder), 'utf8')
export const recorded = (name: string): unknown => JSON.parse(recordedText(name))

/** The recordings' BMC is pve3's. */
export const recordedPlacing: Placing = {
  nodes: [nodeName('pve1'), nodeName('pve2'), nodeName('pve3')],
  aliases: { '127.0.0.1:9521': nodeName('pve3') },
  nodeLabels: DEFAULT_NODE_LABELS,
  partLabels: DEFAULT_PART_LABELS,
  rules: [],
}

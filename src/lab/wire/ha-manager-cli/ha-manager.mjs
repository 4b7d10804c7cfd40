#!/usr/bin/env node
/**
 * Stands in for `ssh root@NODE ha-manager crm-command node-maintenance enable|disable NODE` against the lab,
 * whatever stands in front of these words.
 */
import { askControl, print } from '../ask-control.mjs'

const words = process.argv.slice(2).flatMap((word) => word.split(/\s+/))
const [verb, node] = words.slice(words.indexOf('node-maintenance') + 1)

if (!words.includes('node-maintenance') || (verb !== 'enable' && verb !== 'disable') || node === undefined) {
  print({ code: 255, stderr: 'ERROR: unknown command\n' })
} else {
  print(await askControl('/ha-manager', { node, on: verb === 'enable' }))
}

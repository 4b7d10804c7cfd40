#!/usr/bin/env node
/** Stands in for Debian's `ceph` against the lab whose control server COULISSE_LAB_CONTROL names. */
import { readFileSync } from 'node:fs'
import { askControl, print } from '../ask-control.mjs'

const args = process.argv.slice(2)
// The driver always closes our input; a person's terminal is not waited for.
const input = process.stdin.isTTY ? '' : readFileSync(0, 'utf8')
print(await askControl('/ceph', { args, input }))

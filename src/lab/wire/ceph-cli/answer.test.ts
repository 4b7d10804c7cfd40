import { expect, test } from 'vitest'
import { pve3, smallLab } from '#lab/testing/small-world'
import { haManagerRequest } from '../ha-manager-cli/answer.ts'
import { answerCeph } from './answer.ts'

const world = () => smallLab().state
const words = (text: string) => text.split(' ')

test('what our cephx user may not do is refused as a real cluster refuses it', () => {
  const lab = world()
  for (const asked of ['osd set-group nodown pve3', 'config-key get mgr/x']) {
    expect(answerCeph(lab, words(asked), '')).toMatchObject({ code: 13, stderr: 'Error EACCES: access denied\n' })
  }
  expect(answerCeph(lab, words('osd set noout'), '').code).toBe(22)
})

test('a command whose answer is lost has its effect all the same', () => {
  const lab = world()
  lab.apiFaults.push({ kind: 'answer-lost', api: 'ceph', rate: 1, status: 0, delayMs: 0, timesLeft: 1 })
  expect(answerCeph(lab, words('osd set-group noout pve3'), '').code).not.toBe(0)
  expect(lab.ceph !== 'none' && lab.ceph.hostFlags.pve3).toEqual(['noout'])
})

test('without quorum of the monitors nothing is answered but a time-out', () => {
  const lab = world()
  if (lab.ceph === 'none') throw new Error('this world has no Ceph')
  for (const monitor of lab.ceph.monitors.slice(1)) monitor.inQuorum = false
  const answer = answerCeph(lab, words('status --format json'), '')
  expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining('timed out') })
})

test('every PG is in one state, and the states add up to what the mgr reports', () => {
  const lab = world()
  if (lab.ceph === 'none') throw new Error('this world has no Ceph')
  lab.ceph.reported = { total: 128, clean: 88, degraded: 40, misplaced: 12, recovering: 5, inconsistent: 1 }
  const { pgmap } = JSON.parse(answerCeph(lab, ['status'], '').stdout) as {
    pgmap: { pgs_by_state: { state_name: string; count: number }[] }
  }
  const countOf = (word: string) =>
    pgmap.pgs_by_state
      .filter(({ state_name }) => state_name.split('+').includes(word))
      .reduce((sum, { count }) => sum + count, 0)
  expect(pgmap.pgs_by_state.reduce((sum, { count }) => sum + count, 0)).toBe(128)
  expect(['degraded', 'remapped', 'recovering', 'inconsistent'].map(countOf)).toEqual([40, 12, 5, 1])
})

test('maintenance mode is taken at once and carried out by the CRM later', () => {
  const lab = world()
  expect(haManagerRequest(lab, { node: pve3, on: true })).toEqual({ code: 0, stderr: '' })
  expect(lab.nodes.pve3?.haMaintenance).not.toBe('off')
  expect(haManagerRequest(lab, { node: 'pve9', on: true }).code).toBe(255)
  expect(() => haManagerRequest(lab, { on: true })).toThrow(/names no node/)
})

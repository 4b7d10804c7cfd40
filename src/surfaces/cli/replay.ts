/** The command `replay`: a recorded night in the terminal, event by event, as fast as the world was or faster. */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { readRecord } from '#app/sweep/read-record'

/** Nobody waits longer than this for the next event, whatever the speed. */
const WAIT_LIMIT_MS = 3_000

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('play a night that `sweep --record` wrote, event by event (simulated)')
    .argument('<file>', 'the record')
    .option('--speed <n>', 'so many times as fast as the world; without it all at once')
    .action(async (file: string, { speed }: { speed?: string }) => {
      await replay(file, speed === undefined ? undefined : speedOf(speed))
    })
}

async function replay(file: string, speed: number | undefined): Promise<void> {
  let beforeMs: number | undefined
  for (const line of readRecord(file)) {
    if (line.is === 'night') process.stdout.write(`night ${line.night.seed} (simulated)\n`)
    if (line.is === 'end') process.stdout.write(`ended: ${line.outcome.endings.join(', ')}\n`)
    if (line.is === 'end') {
      for (const { promise, text } of line.outcome.broken) process.stdout.write(`promise ${promise} broken: ${text}\n`)
    }
    if (line.is !== 'event') continue
    if (speed !== undefined && beforeMs !== undefined)
      await sleep(Math.min(WAIT_LIMIT_MS, (line.atMs - beforeMs) / speed))
    beforeMs = line.atMs
    process.stdout.write(`${new Date(line.atMs).toISOString()}  ${line.text}\n`)
  }
}

function speedOf(text: string): number {
  const speed = Number(text)
  if (Number.isFinite(speed) && speed > 0) return speed
  throw new BadInput([`replay: --speed takes a number above 0, not "${text}"`])
}

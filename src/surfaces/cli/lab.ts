/** `coulisse lab serve`: a simulated cluster behind the real protocols, until a signal. */
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { serveLab } from '#app/lab-serving'
import { vmid } from '#domain/ids'

type Options = {
  readonly snapshot: string
  readonly listen?: string
  readonly speed: string
  readonly seed: string
  readonly state?: string
  readonly follow?: boolean
  readonly real?: boolean
  readonly guests: string
}

export function addLabCommand(program: Command): void {
  const lab = program.command('lab').description('the simulated cluster')
  lab
    .command('serve')
    .description('a simulated cluster behind the real protocols, until a signal')
    .requiredOption('--snapshot <FILE>', 'the cluster to simulate (coulisse/snapshot@1)')
    .option('--listen <HOST:PORT>', 'where the control URL listens', '127.0.0.1:0')
    .option('--speed <X>', 'world seconds a real second, at most 20 while something moves; or max', '1')
    .option('--seed <N>', 'chance', '1')
    .option('--state <DIR>', 'keep the world there, and take it up again')
    .option('--real', 'real Ceph and real IPMI BMCs beneath it (Debian, root; needs --state)')
    .option('--guests <VMIDS>', 'with --real: these running virtual machines are real too: 101,102', '')
    .option('--follow', 'time passes only while a control plane waits for it')
    .action(async (options: Options) => {
      const speed = options.speed === 'max' ? 'max' : Number(options.speed)
      const seed = Number(options.seed)
      const port = Number(/^127\.0\.0\.1:(\d+)$/.exec(options.listen ?? '')?.[1] ?? Number.NaN)
      const faults = [
        ...(speed === 'max' || speed > 0 ? [] : [`--speed: a number above 0, or max, not ${options.speed}`]),
        ...(Number.isSafeInteger(seed) ? [] : [`--seed: a whole number, not ${options.seed}`]),
        ...(port >= 0 && port < 65536 ? [] : [`--listen: 127.0.0.1:PORT, not ${options.listen}`]),
      ]
      if (options.real === true && options.state === undefined) faults.push('--real: needs --state DIR for its daemons')
      const guests = options.guests.split(',').filter((text) => text !== '')
      if (guests.some((text) => !/^\d+$/.test(text)))
        faults.push(`--guests: numbers like 101,102, not ${options.guests}`)
      if (guests.length > 0 && options.real !== true) faults.push('--guests: needs --real')
      if (faults.length > 0) throw new BadInput(faults)
      const { state, snapshot, follow = false, real = false } = options
      const found = await serveLab({
        snapshot,
        speed,
        seed,
        port,
        follow,
        real,
        guests: guests.map((text) => vmid(Number(text))),
        ...(state === undefined ? {} : { state }),
      })
      if (found.length > 0) throw new BadInput(found)
    })
}

/** Which module holds which commands. A module is loaded only when one of its commands is called. */
import type { Command } from 'commander'

type AddCommands = (program: Command) => void

export type CommandModule = {
  readonly names: readonly string[]
  readonly load: () => Promise<AddCommands>
}

export const COMMANDS: readonly CommandModule[] = [
  { names: ['plan', 'check-plan'], load: async () => (await import('./plan.ts')).addPlanCommands },
  { names: ['rehearse'], load: async () => (await import('./rehearse.ts')).addRehearseCommand },
  { names: ['detect'], load: async () => (await import('./detect.ts')).addDetectCommand },
  { names: ['demo'], load: async () => (await import('./demo.ts')).addDemoCommand },
  { names: ['lab'], load: async () => (await import('./lab.ts')).addLabCommand },
  { names: ['serve'], load: async () => (await import('./serve.ts')).addServeCommand },
  { names: ['watchdog'], load: async () => (await import('./watchdog.ts')).addWatchdogCommand },
  { names: ['init'], load: async () => (await import('./init.ts')).addInitCommand },
  { names: ['doctor'], load: async () => (await import('./doctor.ts')).addDoctorCommand },
  { names: ['test'], load: async () => (await import('./test-command.ts')).addTestCommand },
  { names: ['bench'], load: async () => (await import('./bench.ts')).addBenchCommand },
  { names: ['witness'], load: async () => (await import('./witness.ts')).addWitnessCommand },
  { names: ['report'], load: async () => (await import('./report.ts')).addReportCommand },
  { names: ['sweep'], load: async () => (await import('./sweep.ts')).addSweepCommand },
  { names: ['verify'], load: async () => (await import('./verify.ts')).addVerifyCommand },
  {
    names: [
      'status',
      'start',
      'approve',
      'reject',
      'lift',
      'pause',
      'resume',
      'abort',
      'release',
      'work-order',
      'journal',
      'evidence',
      'erase',
    ],
    load: async () => (await import('./client.ts')).addClientCommands,
  },
]

/** Commands that speak to a running control plane. */
import type { Command } from 'commander'

export function addClientCommands(_program: Command): void {}

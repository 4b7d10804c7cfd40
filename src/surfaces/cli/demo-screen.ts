/** The demo's terminal: live while it runs, and the summary at its end. */

import type { Told } from '#app/demo/people'
import type { DemoSummary } from '#app/demo/summary'
import { renderLogLine } from '#domain/render'
import type { MaintenanceView } from '#domain/view'

export class DemoScreen {
  #shown = 0
  constructor(_where: { readonly url: string; readonly stateDir: string; readonly pids: object }) {}

  show(view: MaintenanceView, _nowMs: number): void {
    if (view.lastSeq === this.#shown) return
    this.#shown = view.lastSeq
  }

  end(): void {}
}

export function summaryText(summary: DemoSummary, told: Told): string {
  const startMs = told.rows[0]?.atMs ?? 0
  return `${told.rows.map((row) => renderLogLine({ row, startMs })).join('\n')}\n${JSON.stringify(summary, null, 2)}\n`
}

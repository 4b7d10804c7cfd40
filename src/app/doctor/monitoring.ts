/** Prometheus, where the configuration names one. */
import type { Check } from '#domain/check'
import { prometheusClient } from '#drivers/prometheus/client'
import { examinePrometheus } from '#drivers/prometheus/examine'
import type { Config } from '../config/schema.ts'
import { placingOf, prometheusConfigOf } from '../monitoring.ts'

export async function examineMonitoring(config: Config, path: string, nowMs: number): Promise<readonly Check[]> {
  const asked = prometheusConfigOf(config, path)
  if (asked === undefined) return []
  const client = prometheusClient(asked)
  try {
    return await examinePrometheus({ url: asked.url, client, placing: placingOf(config), nowMs })
  } finally {
    await client.close()
  }
}

/** A thread of a sweep: draws and plays the nights that it is given, one after the other. */
import { parentPort } from 'node:worker_threads'
import { drawNight } from './draw-night.ts'
import { playDrawn } from './play-drawn.ts'

parentPort?.on('message', async (seeds: readonly number[]) => {
  for (const seed of seeds) parentPort?.postMessage((await playDrawn(drawNight(seed))).outcome)
})

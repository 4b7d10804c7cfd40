import { playNight } from '#app/night/play'
import { readScenario } from '#app/night/scenario'

const sc = readScenario('scenarios/pair-that-belongs-together-goes-home-together')
for (let i = 0; i < 12; i++) {
  let n = 0
  const t = performance.now()
  const night = await playNight({
    ...sc,
    engine:
      i % 2
        ? {
            onBoundary: () => {
              n++
            },
          }
        : {},
  })
  console.log(Math.round(performance.now() - t), 'ms', n, night.rows.length, night.ending)
}

/** `node stop-osd.ts STATE-FOLDER OSD`: what `systemctl stop ceph-osd@N` is on a real node. */
import { daemonsIn } from './processes.ts'

const [, , dir = '', osd = ''] = process.argv
await daemonsIn(dir).end(`osd.${osd}`, 'SIGTERM')

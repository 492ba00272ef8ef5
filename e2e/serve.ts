import { startBrowserStudio } from '../electron/web/studio.ts'

/**
 * A studio of its own for a test, in a process that can be killed: `serve.ts <home> <sample: yes|no> [port]`. Prints
 * its address, and ends with its parent.
 */
const [home = '', sample, port = '0'] = process.argv.slice(2)
const studio = await startBrowserStudio({ home, port: Number(port), sample: sample === 'yes' })
process.stdout.write(`${studio.server.address}\n`)
process.stdin.resume()
process.stdin.on('end', () => void studio.close().then(() => process.exit(0)))
process.on('SIGTERM', () => void studio.close().then(() => process.exit(0)))

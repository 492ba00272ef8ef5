import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Packr } from 'msgpackr/pack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { studioCalls, type StudioCall } from '../../workers/protocol/studio.ts'
import { connectTo } from './client.ts'
import { startBrowserStudio, type BrowserStudio } from './studio.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-fuzz-'))
let studio: BrowserStudio

beforeAll(async () => {
  studio = await startBrowserStudio({ home: join(root, 'home'), port: 0, pages: root, sample: false })
})
afterAll(async () => {
  await studio.close()
  rmSync(root, { recursive: true, force: true })
})

const reads: readonly StudioCall[] = ['hello', 'projects', 'bin', 'queue', 'settings', 'system', 'runs', 'subscribe']
/** An empty request is a right one for some calls; of these only the ones that read are asked here. */
const harmless = (Object.keys(studioCalls) as StudioCall[]).filter(
  (name) => reads.includes(name) || !studioCalls[name].safeParse({}).success,
)

/** Values that have broken parsers: wrong types, deep nests, prototypes, long texts. */
function* nasty(random: () => number): Generator<unknown> {
  const atoms: readonly unknown[] = [
    undefined,
    null,
    true,
    0,
    -1,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    -(2 ** 63),
    '',
    'x',
    '\0',
    '\ud800',
    'x'.repeat(20_000),
    '../../etc/passwd',
    '__proto__',
    'constructor',
    [],
    {},
    [[]],
    new Uint8Array(9),
    new Float64Array(3),
    new Date(NaN),
    new Map([['a', 1]]),
    new Set([1]),
    { __proto__: null },
    { toString: 1 },
    { then: 1 },
    JSON.parse('{"__proto__":{"polluted":true}}'),
    JSON.parse('{"constructor":{"prototype":{"polluted":true}}}'),
  ]
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const names = [...harmless, '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', '', 'nope']
  const fields = ['run', 'project', 'path', 'job', 'name', 'stream', 'fromRow', 'order', 'files', 'change', 'after']
  for (;;) {
    const request = Object.fromEntries(
      Array.from({ length: Math.floor(random() * 4) }, () => [pick(fields), pick(atoms)]),
    )
    let deep: unknown = 1
    for (let i = 0; i < 500; i++) deep = [deep]
    yield pick([
      { t: 'q', i: String(random()), m: pick(names), a: [pick([request, request, ...atoms])] },
      { t: 'q', i: String(random()), m: pick(names), a: [request] },
      { t: 'q', i: pick(atoms), m: pick(atoms), a: pick(atoms) },
      { t: 's', i: pick(['1', ...names]), r: pick(atoms), e: pick(atoms) },
      { t: pick(atoms), [pick(names)]: pick(atoms) },
      { t: 'q', i: '1', m: 'projects', a: [deep] },
      pick(atoms),
    ])
  }
}

test('5,000 malformed messages do not harm the host', async () => {
  let state = 12345
  const random = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31
  const packer = new Packr({ useRecords: false, moreTypes: true })
  const messages = nasty(random)
  const before = await connectTo(studio.server.address)
  const settings = await before.api.settings({})
  let client = await connectTo(studio.server.address)
  for (let i = 0; i < 5000; i++) {
    if (client.socket.readyState !== WebSocket.OPEN) client = await connectTo(studio.server.address)
    const bytes = Buffer.from(packer.pack(messages.next().value))
    // A third is cut, a third has bits flipped: no message pack at all.
    if (i % 3 === 1) client.socket.send(bytes.subarray(0, Math.floor(random() * bytes.length)))
    else if (i % 3 === 2) {
      for (let k = 0; k < 3 && bytes.length > 0; k++) {
        const at = Math.floor(random() * bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8))
      }
      client.socket.send(bytes)
    } else client.socket.send(bytes)
  }
  client.socket.send('text is not binary')
  expect(await client.api.settings({})).toEqual(settings)
  expect((await before.api.hello({})).session).toBe(studio.host.hub.session)
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  client.close()
  before.close()
})

test('a message that is too long ends its own connection only', async () => {
  const client = await connectTo(studio.server.address)
  const closed = new Promise((resolve) => client.socket.once('close', resolve))
  client.socket.on('error', () => undefined)
  client.socket.send(new Uint8Array(65 * 2 ** 20))
  await closed
  const other = await connectTo(studio.server.address)
  expect(await other.api.projects({})).toEqual([])
  other.close()
})

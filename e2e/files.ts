import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import sharp from 'sharp'

const quick = `alambic: 1
name: quick
title: A quick training
steps:
  - step: train
    epochs: 2
    batch: 64
    lr: 0.002
    validation: 256
`

/** A folder with what a person might drop: a model, a data set, and things that are neither. */
export async function makeFiles(): Promise<{
  readonly folder: string
  readonly model: string
  readonly mixed: string
}> {
  const folder = mkdtempSync(join(tmpdir(), 'alambic-files-'))
  const model = join(folder, 'lenet.onnx')
  const made = spawnSync(process.execPath, [join(import.meta.dirname, 'make-model.ts'), 'lenet-5', model])
  if (made.status !== 0) throw new Error(made.stderr.toString())
  const mixed = join(folder, 'mixed')
  for (const [label, shade] of [
    ['dark', 40],
    ['light', 200],
  ] as const) {
    for (const split of ['train', 'test']) {
      mkdirSync(join(mixed, 'shades', split, label), { recursive: true })
      for (let i = 0; i < 6; i++) {
        const grey = shade + i
        const image = sharp({
          create: { width: 28, height: 28, channels: 3, background: { r: grey, g: grey, b: grey } },
        })
        await image.png().toFile(join(mixed, 'shades', split, label, `${i}.png`))
      }
    }
  }
  writeFileSync(join(mixed, 'broken.onnx'), 'this is not a model')
  writeFileSync(join(mixed, 'quick.yaml'), quick)
  writeFileSync(join(mixed, 'notes.txt'), 'nothing of interest')
  return { folder, model, mixed }
}

/** Drops files or folders of this machine on the middle of the window, as a file manager would. */
export async function drop(page: Page, paths: readonly string[]): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: [...paths], dragOperationsMask: 1 }
  // As over a person's way across the window: a drop before the page has answered to `dragover` is none.
  for (const type of ['dragEnter', 'dragOver', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 640, y: 400, data })
    await page.waitForTimeout(100)
  }
  await session.detach()
}

import { expect, test } from 'vitest'
import { missing, packagedModels, writeReport } from '../testing/assets.ts'
import { openPackaged, packaged } from '../testing/packaged.ts'
import { compared, forms } from './packaged.ts'

const lines: string[] = []

test.for(packaged.map((model) => ({ ...model, model })))('$name', async ({ model }, ctx) => {
  if (packagedModels() === undefined) return ctx.skip(missing('packaged-models'))
  const graph = openPackaged(model)
  for (const [form, make] of Object.entries(forms)) {
    const { bytes, sqnr } = await compared(graph, await make(graph, model), model)
    lines.push(`| ${model.name} | ${form} | ${bytes.join(' → ')} | ${sqnr.toFixed(1)} |`)
    expect(bytes[1]).toBeLessThan(0.75 * bytes[0])
    if (form.endsWith('int8')) expect(sqnr).toBeGreaterThan(0)
    else expect(Number.isFinite(sqnr)).toBe(true)
  }
  const head = ['# Packaged models', '', '| model | form | bytes | SQNR, dB |', '| --- | --- | --- | --- |']
  writeReport('packaged', [...head, ...lines])
})

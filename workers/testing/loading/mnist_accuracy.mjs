// Accuracy of an ONNX file on MNIST's test images, with nothing but onnxruntime: what a user of the file would write.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [model, folder] = process.argv.slice(2)
const ort = createRequire(import.meta.url)('onnxruntime-node')
const images = readFileSync(join(folder, 't10k-images-idx3-ubyte')).subarray(16)
const labels = readFileSync(join(folder, 't10k-labels-idx1-ubyte')).subarray(8)
const session = await ort.InferenceSession.create(model)
const pixels = Float32Array.from(images, (v) => v / 255)
const x = new ort.Tensor('float32', pixels, [labels.length, 1, 28, 28])
const { data } = (await session.run({ [session.inputNames[0]]: x }))[session.outputNames[0]]
let hits = 0
labels.forEach((label, i) => {
  const row = data.subarray(i * 10, i * 10 + 10)
  hits += row.indexOf(Math.max(...row)) === label ? 1 : 0
})
console.log(hits / labels.length)

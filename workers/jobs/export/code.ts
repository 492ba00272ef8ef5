import type { DType } from '../../graph/dtype.ts'

/** A tensor of the example that comes with an exported folder: raw little-endian values in a file of its own. */
export interface SampleTensor {
  readonly name: string
  /** As onnxruntime calls it. */
  readonly type: string
  readonly dims: readonly number[]
  readonly file: string
}

export interface SampleFacts {
  readonly model: string
  readonly inputs: readonly SampleTensor[]
  readonly outputs: readonly SampleTensor[]
  /** Largest difference that another machine's kernels may make. */
  readonly tolerance: number
}

/** Element types that the example programs read, by onnxruntime's names. */
export const sampleTypes: Readonly<Partial<Record<DType, string>>> = {
  f32: 'float32',
  f64: 'float64',
  i8: 'int8',
  u8: 'uint8',
  i32: 'int32',
  i64: 'int64',
  bool: 'bool',
}

const node = `// Runs the model on the sample beside it and compares the outputs: npm install, then node run.mjs
import { readFileSync } from 'node:fs'
import * as ort from 'onnxruntime-node'

const sample = JSON.parse(readFileSync(new URL('../sample.json', import.meta.url), 'utf8'))
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
}
const read = ({ file, type }) => {
  const bytes = readFileSync(new URL(\`../\${file}\`, import.meta.url))
  return new arrays[type](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

const session = await ort.InferenceSession.create(new URL(\`../\${sample.model}\`, import.meta.url).pathname)
const feeds = Object.fromEntries(
  sample.inputs.map((input) => [input.name, new ort.Tensor(input.type, read(input), input.dims)]),
)
const results = await session.run(feeds)

let worst = 0
for (const output of sample.outputs) {
  const expected = read(output)
  results[output.name].data.forEach((value, i) => {
    worst = Math.max(worst, Math.abs(Number(value) - Number(expected[i])))
  })
  console.log(output.name, results[output.name].dims, [...results[output.name].data].slice(0, 10).map(Number))
}
console.log(\`largest difference: \${worst}\`)
if (!(worst <= sample.tolerance)) process.exit(1)
`

const python = `"""Runs the model on the sample beside it and compares the outputs: pip install -r requirements.txt, then python run.py"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime

folder = pathlib.Path(__file__).resolve().parent.parent
sample = json.loads((folder / "sample.json").read_text(encoding="utf8"))


def read(tensor):
    return np.fromfile(folder / tensor["file"], np.dtype(tensor["type"])).reshape(tensor["dims"])


session = onnxruntime.InferenceSession(str(folder / sample["model"]), providers=["CPUExecutionProvider"])
names = [output["name"] for output in sample["outputs"]]
results = session.run(names, {tensor["name"]: read(tensor) for tensor in sample["inputs"]})

worst = 0.0
for output, found in zip(sample["outputs"], results):
    expected = read(output)
    worst = max(worst, float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0)))
    print(output["name"], found.shape, found.reshape(-1)[:10])
print("largest difference:", worst)
sys.exit(0 if worst <= sample["tolerance"] else 1)
`

/** C++ has no JSON: what the sample is is written into the program. */
function cpp({ model, inputs, outputs, tolerance }: SampleFacts): string {
  const types: Readonly<Record<string, string>> = {
    float32: 'float',
    float64: 'double',
    int8: 'int8_t',
    uint8: 'uint8_t',
    int32: 'int32_t',
    int64: 'int64_t',
    bool: 'bool',
  }
  const quoted = (text: string) => JSON.stringify(text)
  const array = (dims: readonly number[]) => `{${dims.join(', ')}}`
  const feeds = inputs.map(
    ({ name, type, dims, file }) =>
      `  feed<${types[type] ?? 'float'}>(folder + ${quoted(`/${file}`)}, ${quoted(name)}, ${array(dims)});`,
  )
  const checks = outputs.map(
    ({ type, file }, i) =>
      `  worst = std::max(worst, compare<${types[type] ?? 'float'}>(results[${i}], folder + ${quoted(`/${file}`)}));`,
  )
  return `// Runs the model on the sample beside it and compares the outputs.
// cmake -B build -DONNXRUNTIME=/path/to/onnxruntime && cmake --build build && ./build/run ..
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

static std::vector<std::unique_ptr<char[]>> buffers;
static std::vector<const char *> names;
static std::vector<Ort::Value> values;
static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);

static std::pair<char *, size_t> read(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot read " + path);
  const auto size = static_cast<size_t>(file.tellg());
  buffers.push_back(std::make_unique<char[]>(size));
  file.seekg(0).read(buffers.back().get(), static_cast<std::streamsize>(size));
  return {buffers.back().get(), size};
}

template <typename T>
static void feed(const std::string &path, const char *name, std::vector<int64_t> dims) {
  const auto [data, size] = read(path);
  names.push_back(name);
  values.push_back(Ort::Value::CreateTensor<T>(memory, reinterpret_cast<T *>(data), size / sizeof(T), dims.data(), dims.size()));
}

template <typename T>
static double compare(const Ort::Value &found, const std::string &path) {
  const auto [data, size] = read(path);
  const T *expected = reinterpret_cast<const T *>(data);
  double worst = 0;
  for (size_t i = 0; i < size / sizeof(T); i++)
    worst = std::max(worst, std::abs(static_cast<double>(found.GetTensorData<T>()[i]) - static_cast<double>(expected[i])));
  return worst;
}

int main(int argc, char **argv) {
  const std::string folder = argc > 1 ? argv[1] : "..";
  Ort::Env environment;
  const std::string path = folder + ${quoted(`/${model}`)};
  Ort::Session session(environment, std::basic_string<ORTCHAR_T>(path.begin(), path.end()).c_str(), Ort::SessionOptions{});
${feeds.join('\n')}
  const std::vector<const char *> outputs{${outputs.map(({ name }) => quoted(name)).join(', ')}};
  const auto results = session.Run(Ort::RunOptions{}, names.data(), values.data(), values.size(), outputs.data(), outputs.size());
  double worst = 0;
${checks.join('\n')}
  std::printf("largest difference: %g\\n", worst);
  return worst <= ${tolerance} ? 0 : 1;
}
`
}

const cmake = `cmake_minimum_required(VERSION 3.16)
project(run CXX)
set(CMAKE_CXX_STANDARD 17)
# The unpacked release of onnxruntime: include/ and lib/ are in it.
set(ONNXRUNTIME "" CACHE PATH "folder of onnxruntime")
add_executable(run main.cpp)
target_include_directories(run PRIVATE \${ONNXRUNTIME}/include)
target_link_directories(run PRIVATE \${ONNXRUNTIME}/lib)
target_link_libraries(run PRIVATE onnxruntime)
`

const browser = `<!doctype html>
<!-- Runs the model in a browser: npm install here, then serve the folder above by any web server and open browser/. -->
<html lang="en">
  <meta charset="utf-8" />
  <title>Model</title>
  <pre id="said">…</pre>
  <script type="module">
    import * as ort from './node_modules/onnxruntime-web/dist/ort.min.mjs'

    const arrays = { float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int32: Int32Array, int64: BigInt64Array, bool: Uint8Array }
    const sample = await (await fetch('../sample.json')).json()
    const read = async ({ file, type }) => new arrays[type](await (await fetch('../' + file)).arrayBuffer())
    const session = await ort.InferenceSession.create('../' + sample.model)
    const feeds = {}
    for (const input of sample.inputs) feeds[input.name] = new ort.Tensor(input.type, await read(input), input.dims)
    const results = await session.run(feeds)
    let worst = 0
    for (const output of sample.outputs) {
      const expected = await read(output)
      results[output.name].data.forEach((value, i) => (worst = Math.max(worst, Math.abs(Number(value) - Number(expected[i])))))
    }
    document.getElementById('said').textContent = 'largest difference: ' + worst
  </script>
</html>
`

const manifest = (dependency: string, version: string): string =>
  `${JSON.stringify({ private: true, type: 'module', dependencies: { [dependency]: version } }, null, 2)}\n`

/** Programs that run an exported model on its sample, by their paths in the folder. `version` is onnxruntime's. */
export const sampleCode = (facts: SampleFacts, version: string): Readonly<Record<string, string>> => ({
  'sample.json': `${JSON.stringify(facts, null, 2)}\n`,
  'node/run.mjs': node,
  'node/package.json': manifest('onnxruntime-node', `^${version}`),
  'python/run.py': python,
  'python/requirements.txt': 'numpy\nonnxruntime\n',
  'cpp/main.cpp': cpp(facts),
  'cpp/CMakeLists.txt': cmake,
  'browser/index.html': browser,
  'browser/package.json': manifest('onnxruntime-web', `^${version}`),
})

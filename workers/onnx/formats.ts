import { AlambicError } from '../protocol/errors.ts'

interface Format {
  readonly what: string
  readonly at: number
  readonly magic: string
  readonly fix: string
}

const exportIt = 'Export the model to ONNX with the tool that made it.'

/** Files that people take for ONNX models, by the bytes they begin with. None of these can begin a ModelProto. */
const formats: readonly Format[] = [
  {
    what: 'a Git LFS pointer, not the model itself',
    at: 0,
    magic: 'version https://git-lfs',
    fix: 'Fetch the model with: git lfs pull',
  },
  {
    what: 'a ZIP archive (perhaps a PyTorch checkpoint)',
    at: 0,
    magic: 'PK\x03\x04',
    fix: `Unpack the archive. ${exportIt}`,
  },
  { what: 'a gzip archive', at: 0, magic: '\x1f\x8b', fix: 'Unpack the archive first.' },
  { what: 'an HDF5 file (perhaps a Keras model)', at: 0, magic: '\x89HDF', fix: exportIt },
  { what: 'a NumPy array', at: 0, magic: '\x93NUMPY', fix: 'Choose the model; arrays are data.' },
  { what: 'a GGUF model', at: 0, magic: 'GGUF', fix: exportIt },
  { what: 'a TensorFlow Lite model', at: 2, magic: '\0\0TFL3', fix: exportIt },
  {
    what: 'a model in the format of onnxruntime',
    at: 2,
    magic: '\0\0ORTM',
    fix: 'Choose the ONNX model that it was made from.',
  },
  { what: 'a web page', at: 0, magic: '<', fix: 'Download the file itself, not the page about it.' },
  { what: 'a JSON text', at: 0, magic: '{', fix: exportIt },
  { what: 'a Python pickle', at: 0, magic: '\x80\x02', fix: exportIt },
]

/** Throws `onnx.not-onnx` for an empty file and for well-known other formats, so that the sentence can name them. */
export function refuseOtherFormats(bytes: Uint8Array): void {
  if (bytes.length === 0) {
    throw new AlambicError('onnx.empty', 'the file is empty', { fix: 'Copy or download the file again.' })
  }
  const head = String.fromCharCode(...bytes.subarray(0, 64))
  const format = formats.find(({ at, magic }) => head.startsWith(magic, at))
  if (format)
    throw new AlambicError('onnx.not-onnx', `the file is ${format.what}`, {
      expected: 'an ONNX model',
      fix: format.fix,
    })
}

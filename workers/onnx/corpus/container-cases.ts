import { accepted, refused, type Cases } from './case.ts'
import * as p from './proto.ts'

const damaged = p.relu()

/** The file as a whole: other formats, truncation, the wire format, versions, fields that are not modelled. */
export const containerCases: Cases = {
  'the smallest model': accepted(p.relu()),
  'an empty graph': accepted(p.model(p.text(2, 'main'))),
  'a graph without a name': accepted(p.model()),
  'fields in another order': accepted(p.cat(p.opset(21), p.message(7, p.reluGraph()), p.int(1, 10))),

  'an empty file': refused(p.raw(), 'onnx.empty: the file is empty'),
  'a web page': refused(p.latin('<!DOCTYPE html><html></html>'), 'onnx.not-onnx: the file is a web page'),
  'a JSON text': refused(p.latin('{"graph": {}}'), 'onnx.not-onnx: the file is a JSON text'),
  'a ZIP archive': refused(
    p.latin('PK\x03\x04\x14\x00\x00\x00'),
    'onnx.not-onnx: the file is a ZIP archive (perhaps a PyTorch checkpoint)',
  ),
  'a gzip archive': refused(p.latin('\x1f\x8b\x08\x00'), 'onnx.not-onnx: the file is a gzip archive'),
  'a Git LFS pointer': refused(
    p.latin('version https://git-lfs.github.com/spec/v1\noid sha256:00'),
    'onnx.not-onnx: the file is a Git LFS pointer, not the model itself',
  ),
  'an HDF5 file': refused(
    p.latin('\x89HDF\r\n\x1a\n'),
    'onnx.not-onnx: the file is an HDF5 file (perhaps a Keras model)',
  ),
  'a NumPy array': refused(p.latin('\x93NUMPY\x01\x00'), 'onnx.not-onnx: the file is a NumPy array'),
  'a GGUF model': refused(p.latin('GGUF\x03\x00\x00\x00'), 'onnx.not-onnx: the file is a GGUF model'),
  'a TensorFlow Lite model': refused(
    p.latin('\x1c\x00\x00\x00TFL3\x14\x00'),
    'onnx.not-onnx: the file is a TensorFlow Lite model',
  ),
  'an ORT format model': refused(
    p.latin('\x28\x00\x00\x00ORTM\x00\x00'),
    'onnx.not-onnx: the file is a model in the format of onnxruntime',
  ),
  'a Python pickle': refused(p.latin('\x80\x02}q\x00.'), 'onnx.not-onnx: the file is a Python pickle'),
  'a text': refused(p.latin('Hello, world. This is no model.'), 'onnx.wire-type: field 13 at byte 2 has wire type 4'),
  zeros: refused(new Uint8Array(100), 'onnx.malformed: field number 0 at byte 0 is not valid'),

  'cut in the graph': refused(damaged.subarray(0, 20), 'onnx.truncated: the file ends in the middle of a field'),
  'cut in a tag': refused(p.cat(p.relu(), p.raw(0xa2)), 'onnx.truncated: the file ends in the middle of a field'),
  'cut before the value of a field': refused(
    p.cat(p.relu(), p.raw(0x28)),
    'onnx.truncated: the file ends in the middle of a field',
  ),
  'cut in a fixed field': refused(
    p.cat(p.relu(), p.raw(0xfd, 0x7f, 1, 2)),
    'onnx.truncated: the file ends in the middle of a field',
  ),
  'a length of 2^62 bytes': refused(
    p.cat(p.int(1, 10), p.raw(0x3a), p.int(1, 2n ** 62n).subarray(1)),
    'onnx.truncated: the file ends in the middle of a field',
  ),
  'a length of 2^32 bytes': refused(
    p.cat(p.int(1, 10), p.raw(0x3a), p.int(1, 2 ** 32).subarray(1)),
    'onnx.truncated: the file ends in the middle of a field',
  ),
  'a field that runs out of its message': refused(
    p.model(p.message(1, p.raw(0x0a, 0x7f))),
    'onnx.truncated: a node without a name (?): the file ends in the middle of a field',
  ),
  'a varint of 11 bytes': refused(
    p.raw(0x08, ...Array<number>(10).fill(0xff), 0x01),
    'onnx.varint: the integer at byte 1 does not fit in 64 bits',
  ),
  'a varint beyond 64 bits': refused(
    p.raw(0x08, ...Array<number>(9).fill(0xff), 0x02),
    'onnx.varint: the integer at byte 1 does not fit in 64 bits',
  ),
  'a group': refused(p.cat(p.relu(), p.raw(0x4b, 0x4c)), 'onnx.wire-type: field 9 at byte 80 has wire type 3'),
  'wire type 4': refused(p.cat(p.relu(), p.raw(0x4c)), 'onnx.wire-type: field 9 at byte 80 has wire type 4'),
  'wire type 6': refused(p.cat(p.relu(), p.raw(0x4e)), 'onnx.wire-type: field 9 at byte 80 has wire type 6'),
  'wire type 7': refused(p.cat(p.relu(), p.raw(0x4f)), 'onnx.wire-type: field 9 at byte 80 has wire type 7'),
  'field number 0': refused(
    p.cat(p.relu(), p.raw(0x02, 0x00)),
    'onnx.malformed: field number 0 at byte 80 is not valid',
  ),
  'zeros at the end': refused(
    p.cat(p.relu(), p.raw(0, 0, 0)),
    'onnx.malformed: field number 0 at byte 80 is not valid',
  ),
  'a field number beyond 29 bits': refused(
    p.cat(p.relu(), p.raw(0xff, 0xff, 0xff, 0xff, 0x7f, 0)),
    'onnx.malformed: field number beyond 32 bits at byte 80 is not valid',
  ),
  'a graph as a number': refused(
    p.cat(p.int(1, 10), p.int(7, 3), p.opset(21)),
    'onnx.wire-type: field "graph" of ModelProto has wire type 0',
  ),
  'a node name as a number': refused(
    p.model(p.message(1, p.text(4, 'Relu'), p.int(3, 3))),
    'onnx.wire-type: a node without a name (Relu): field "name" of NodeProto has wire type 0',
  ),
  'a longer tag than need be': accepted(p.cat(p.raw(0x88, 0x80, 0x00, 0x0a), p.message(7, p.reluGraph()), p.opset(21))),

  'no graph': refused(
    p.cat(p.int(1, 10), p.opset(21)),
    'onnx.no-graph: the file holds no graph, so it is no ONNX model',
  ),
  'two graphs': refused(p.cat(p.relu(), p.message(7, p.reluGraph())), 'onnx.malformed: the model has two graphs'),
  'no IR version': refused(
    p.cat(p.message(7, p.reluGraph()), p.opset(21)),
    'onnx.ir-version: the file does not say which version of the ONNX format it has',
  ),
  'a negative IR version': refused(
    p.cat(p.int(1, -1), p.message(7, p.reluGraph()), p.opset(21)),
    'onnx.ir-version: the file does not say which version of the ONNX format it has',
  ),
  'an IR version of the future': accepted(
    p.cat(p.int(1, 99), p.message(7, p.reluGraph()), p.opset(21)),
    'onnx.ir-version-new',
  ),
  'IR version 1, which names no operator set': accepted(
    p.cat(p.int(1, 1), p.message(7, p.reluGraph())),
    'onnx.opset-old',
  ),
  'no operator set': refused(
    p.cat(p.int(1, 10), p.message(7, p.reluGraph())),
    'onnx.opset: the model does not say which operator set it uses',
  ),
  'operator set 6': accepted(p.cat(p.int(1, 3), p.message(7, p.reluGraph()), p.opset(6)), 'onnx.opset-old'),
  'operator set 7': accepted(p.cat(p.int(1, 3), p.message(7, p.reluGraph()), p.opset(7))),
  'operator set 24': accepted(p.cat(p.int(1, 11), p.message(7, p.reluGraph()), p.opset(24))),
  'operator set 99': accepted(p.cat(p.int(1, 10), p.message(7, p.reluGraph()), p.opset(99)), 'onnx.opset-new'),
  'operator set -1': refused(
    p.cat(p.int(1, 10), p.message(7, p.reluGraph()), p.opset(-1)),
    'onnx.opset: the default operator set has version -1',
  ),
  'one operator set twice': accepted(p.cat(p.relu(), p.opset(21))),
  'two versions of one operator set': refused(
    p.cat(p.relu(), p.opset(17)),
    'onnx.duplicate-opset: the default operator set is imported twice, as version 21 and 17',
  ),
  'an operator set of its own': accepted(p.cat(p.relu(), p.opset(3, 'com.example'))),

  'training info': accepted(p.cat(p.relu(), p.message(20, p.message(1, p.text(2, 'init'))))),
  'fields of the future': accepted(
    p.cat(p.relu(), p.int(900, 5), p.raw(0x89, 0x40, 1, 2, 3, 4, 5, 6, 7, 8), p.raw(0x95, 0x40, 1, 2, 3, 4)),
  ),
  'model properties': accepted(
    p.cat(p.relu(), p.entry(14, 'author', 'Ω'), p.entry(14, '', ''), p.text(2, 'maker'), p.text(6, 'doc')),
  ),
  'a file above the limit': refused(p.relu(), 'onnx.limit-filebytes: there are more than 16 bytes in the file', {
    fileBytes: 16,
  }),
}

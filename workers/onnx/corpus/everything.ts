import * as p from './proto.ts'

const TENSOR = 4
const INTS = 7

const tensor = p.cat(
  p.int(1, 2),
  p.int(2, 1),
  p.text(8, 'w'),
  p.rawData(8),
  p.text(12, 'a weight'),
  p.entry(16, 'layer', '3'),
  p.int(500, 1),
)

const node = p.cat(
  p.text(1, 'x'),
  p.text(1, ''),
  p.text(1, 'w'),
  p.text(2, 'h'),
  p.text(3, 'magic'),
  p.text(4, 'Magic'),
  p.message(5, p.text(1, 'axes'), p.int(8, -1), p.int(8, 2n ** 62n), p.int(20, INTS), p.text(13, 'told')),
  p.message(
    5,
    p.text(1, 'value'),
    p.message(5, p.int(1, 1), p.int(2, 1), p.rawData(4), p.text(8, 'inner')),
    p.int(20, TENSOR),
  ),
  p.message(5, p.text(1, 'blob'), p.blob(4, p.raw(0xff, 0x00, 0x80)), p.int(20, 3)),
  p.text(6, 'does magic'),
  p.text(7, 'com.example'),
  p.text(8, 'v2'),
  p.entry(9, 'namespace', '/model'),
  p.message(10, p.text(1, 'gpu0'), p.int(3, 1)),
)

const graph = p.cat(
  p.message(1, node),
  p.text(2, 'main'),
  p.message(5, tensor),
  p.text(10, 'about the graph'),
  p.message(
    11,
    p.text(1, 'x'),
    p.message(2, p.tensorType(1, 'N', 3), p.text(6, 'IMAGE')),
    p.text(3, 'input'),
    p.entry(4, 'k', 'v'),
  ),
  p.message(12, p.text(1, 'h')),
  p.message(13, p.text(1, 'o'), p.message(2, p.message(7, p.text(1, 'd'), p.text(2, 'n')))),
  p.message(
    13,
    p.text(1, 'm'),
    p.message(2, p.message(5, p.int(1, 7), p.message(2, p.tensorType(1)))),
    p.text(3, 'doc'),
    p.entry(4, 'k', 'v'),
  ),
  p.entry(16, 'graph', 'yes'),
  p.message(14, p.text(1, 'x'), p.entry(2, 'SCALE_TENSOR', 's')),
)

const fn = p.cat(
  p.text(1, 'f'),
  p.text(4, 'a'),
  p.text(5, 'b'),
  p.text(6, 'alpha'),
  p.message(7, p.node('LeakyRelu', ['a'], ['b'], p.message(5, p.text(1, 'alpha'), p.int(20, 1), p.text(21, 'alpha')))),
  p.text(8, 'a function'),
  p.message(9, p.text(1, ''), p.int(2, 21)),
  p.text(10, 'com.example'),
  p.message(11, p.text(1, 'beta'), p.float(2, 0.5), p.int(20, 1)),
  p.message(12, p.text(1, 'b'), p.message(2, p.tensorType(1, 'N')), p.text(3, 'doc')),
  p.text(13, 'v2'),
  p.entry(14, 'k', 'v'),
  p.int(500, 1),
)

/** A model with something in every field of ONNX, in the order in which protobuf's writers put fields. */
export const everything: Uint8Array = p.cat(
  p.int(1, 11),
  p.text(2, 'maker'),
  p.text(3, '1.2'),
  p.text(4, 'com.example'),
  p.int(5, 7),
  p.text(6, 'about the model'),
  p.message(7, graph),
  p.opset(21),
  p.opset(3, 'com.example'),
  p.entry(14, 'author', 'Ω'),
  p.message(25, fn),
  p.message(20, p.message(1, p.text(2, 'initialization'))),
  p.message(26, p.text(1, 'two GPUs'), p.int(2, 2)),
  p.int(900, 5),
)

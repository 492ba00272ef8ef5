import { accepted, refused, type Cases } from './case.ts'
import * as p from './proto.ts'

const { f32 } = p.codes
const weight = p.tensor(f32, [1], 'w', p.rawData(4))
const [FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, SPARSE, TYPE] = [1, 2, 3, 4, 5, 6, 7, 11, 13]

/** A node whose body holds a node whose body holds … */
const nested = (levels: number): Uint8Array =>
  levels === 0
    ? p.node('Relu', ['x'], ['y'])
    : p.node('Loop', ['x'], ['y'], p.attribute('body', GRAPH, p.message(6, p.message(1, nested(levels - 1)))))

const sequenceType = (levels: number): Uint8Array =>
  levels === 0 ? p.tensorType(f32, 1) : p.message(4, p.message(1, sequenceType(levels - 1)))

const fn = (name: string, ...nodes: Uint8Array[]) =>
  p.message(
    25,
    p.text(1, name),
    p.text(4, 'a'),
    p.text(5, 'b'),
    ...nodes.map((n) => p.message(7, n)),
    p.message(9, p.int(2, 21)),
    p.text(10, 'f'),
  )
const call = (name: string, input = 'a', output = 'b') => p.node(name, [input], [output], p.text(7, 'f'))
/** Functions that each call the next one ten times. */
const bomb = (levels: number) =>
  Array.from({ length: levels }, (_, i) =>
    fn(
      `f${i}`,
      ...Array.from({ length: 10 }, (_x, k) =>
        i + 1 < levels ? call(`f${i + 1}`, 'a', `b${k}`) : p.node('Relu', ['a'], [`b${k}`]),
      ),
    ),
  )
const ref = (...more: Uint8Array[]) => p.message(5, p.text(1, 'alpha'), p.text(21, 'slope'), ...more)

/** Nodes, attributes, values, functions and limits. */
export const graphCases: Cases = {
  'an initializer that is an input, too': accepted(
    p.relu(p.message(5, weight), p.message(11, p.value('w', p.tensorType(f32, 1)))),
  ),
  'an initializer twice': refused(
    p.relu(p.message(5, weight), p.message(5, weight)),
    'onnx.duplicate-initializer: initializer "w" appears twice in one graph',
  ),
  'an initializer that is a sparse one, too': refused(
    p.relu(
      p.message(5, weight),
      p.message(15, p.message(1, weight), p.message(2, p.tensor(7, [1], '', p.packed(7, [0]))), p.int(3, 1)),
    ),
    'onnx.duplicate-initializer: initializer "w" appears twice in one graph',
  ),
  'an initializer without a name': refused(
    p.relu(p.message(5, p.tensor(f32, [1], '', p.rawData(4)))),
    'onnx.initializer-name: initializer number 1 of the graph has no name',
  ),
  'names of any characters': accepted(
    p.model(
      p.message(1, p.node('Relu', ['a "b"\n\0'], ['__proto__'], p.text(3, '🙂/\u202e'))),
      p.message(11, p.value('a "b"\n\0')),
      p.message(12, p.value('__proto__')),
    ),
  ),
  'a name that is no UTF-8': accepted(
    p.model(p.message(1, p.node('Relu', [''], ['y'], p.blob(3, p.raw(0xff, 0x61, 0xc3))))),
  ),
  'an attribute called __proto__': accepted(p.constant(p.attribute('__proto__', INT, p.int(3, 7)))),
  'a node of an unknown domain': accepted(
    p.model(
      p.graphOf(
        p.node(
          'Magic',
          ['x', ''],
          ['y', ''],
          p.text(7, 'com.example'),
          p.attribute('blob', STRING, p.blob(4, p.raw(0xff, 0, 0x80))),
        ),
      ),
    ),
  ),
  'a node with everything': accepted(
    p.model(
      p.graphOf(
        p.node(
          'Relu',
          ['x'],
          ['y'],
          p.text(6, 'doc'),
          p.text(8, 'v2'),
          p.entry(9, 'k', 'v'),
          p.message(10, p.text(1, 'device')),
        ),
      ),
    ),
  ),
  'a node without an operator': refused(
    p.model(p.graphOf(p.node('', ['x'], ['y'], p.text(3, 'n')))),
    'onnx.node-operator: node "n" (?) does not say which operator it is',
  ),
  'nodes out of order': accepted(
    p.model(p.graphOf(p.node('Relu', ['h'], ['y']), p.node('Neg', ['x'], ['h']))),
    'onnx.unsorted',
  ),
  'a cycle': refused(
    p.model(p.graphOf(p.node('Relu', ['h'], ['y'], p.text(3, 'a')), p.node('Neg', ['y'], ['h'], p.text(3, 'b')))),
    'onnx.cycle: node "a" (Relu) needs its own output: graph "main" has a cycle',
  ),
  'a node that reads itself': refused(
    p.model(p.graphOf(p.node('Add', ['x', 'y'], ['y'], p.text(3, 'a')))),
    'onnx.cycle: node "a" (Add) needs its own output: graph "main" has a cycle',
  ),
  'a cycle through a subgraph': refused(
    p.model(
      p.graphOf(
        p.node(
          'Loop',
          ['x'],
          ['h'],
          p.attribute('body', GRAPH, p.message(6, p.message(1, p.node('Neg', ['y'], ['n'])))),
        ),
        p.node('Relu', ['h'], ['y']),
      ),
    ),
    'onnx.cycle: the node of "h" (Loop) needs its own output: graph "main" has a cycle',
  ),

  'a packed list': accepted(p.constant(p.attribute('value_ints', INTS, p.packed(8, [1, -2, 2n ** 60n])))),
  'a list, one field an element': accepted(
    p.constant(p.attribute('value_floats', FLOATS, p.float(7, 1), p.float(7, 2))),
  ),
  'an empty list': accepted(p.constant(p.attribute('value_ints', INTS))),
  'a number of 0 that was left out': accepted(p.constant(p.attribute('value_int', INT))),
  'an attribute of before IR version 2': accepted(p.constant(p.message(5, p.text(1, 'value_int'), p.int(3, 7)))),
  'documentation of an attribute': accepted(p.constant(p.attribute('value_int', INT, p.int(3, 7), p.text(13, 'doc')))),
  'a named tensor': accepted(p.constant(p.attribute('value', TENSOR, p.message(5, weight)))),
  'a sparse tensor': accepted(
    p.constant(
      p.attribute(
        'sparse_value',
        SPARSE,
        p.message(22, p.message(1, weight), p.message(2, p.tensor(7, [1], '', p.packed(7, [0]))), p.int(3, 9)),
      ),
    ),
  ),
  'a type': accepted(p.constant(p.attribute('type', TYPE, p.message(14, p.tensorType(f32, 'N'))))),
  'an attribute without a name': refused(
    p.constant(p.attribute('', INT, p.int(3, 7))),
    'onnx.attribute-name: node "c" (Constant): an attribute has no name',
  ),
  'an attribute without a value or type': refused(
    p.constant(p.message(5, p.text(1, 'value'))),
    'onnx.attribute-type: node "c" (Constant): attribute "value" has neither a type nor a value',
  ),
  'a tensor attribute without a tensor': refused(
    p.constant(p.attribute('value', TENSOR)),
    'onnx.attribute-type: node "c" (Constant): attribute "value" is of type tensor but has no value',
  ),
  'an attribute of another type than its value': refused(
    p.constant(p.attribute('value', TENSOR, p.int(3, 7))),
    'onnx.attribute-type: node "c" (Constant): attribute "value" is of type tensor but has values of type int',
  ),
  'an attribute with two values': refused(
    p.constant(p.attribute('value_int', INT, p.int(3, 7), p.float(2, 1))),
    'onnx.attribute-type: node "c" (Constant): attribute "value_int" is of type int but has values of type int, float',
  ),
  'an attribute of type 99': refused(
    p.constant(p.attribute('value', 99, p.int(3, 7))),
    'onnx.attribute-type: node "c" (Constant): attribute "value" has the unknown type 99',
  ),
  'an attribute twice': refused(
    p.constant(p.attribute('value_int', INT, p.int(3, 7)), p.attribute('value_int', INT, p.int(3, 8))),
    'onnx.duplicate-attribute: node "c" (Constant): attribute "value_int" appears twice',
  ),
  'a bad tensor in an attribute': refused(
    p.constant(p.attribute('value', TENSOR, p.message(5, p.tensor(f32, [2], 't', p.rawData(4))))),
    'onnx.tensor-size: node "c" (Constant): attribute "value": tensor "t" holds 4 bytes, its dimensions need 8',
  ),
  'a float as an integer': refused(
    p.constant(p.attribute('value_float', FLOAT, p.int(2, 1))),
    'onnx.wire-type: node "c" (Constant): attribute "value_float": field "f" of AttributeProto has wire type 0',
  ),
  'a reference': accepted(p.cat(p.relu(), fn('g', p.node('LeakyRelu', ['a'], ['b'], ref(p.int(20, FLOAT)))))),
  'a reference with a value': refused(
    p.cat(p.relu(), fn('g', p.node('LeakyRelu', ['a'], ['b'], ref(p.float(2, 1))))),
    'onnx.attribute-type: function "f.g": the node of "b" (LeakyRelu): attribute "alpha" is a reference and has a value too',
  ),

  'subgraphs, 20 deep': accepted(p.model(p.graphOf(nested(20)))),
  'subgraphs, 60 deep': refused(
    p.model(p.graphOf(nested(60))),
    'onnx.limit-depth: … attribute "body": the node of "y" (Loop): attribute "body": the node of "y" (Loop): attribute "body": the node of "y" (Loop): attribute "body": the node of "y" (Loop): attribute "body": the node of "y" (Loop): attribute "body": the node of "y" (Loop): there are more than 100 messages inside one another',
  ),
  'sequences, 10 deep': accepted(p.relu(p.message(13, p.value('s', sequenceType(10))))),
  'sequences, 200 deep': refused(
    p.relu(p.message(13, p.value('s', sequenceType(200)))),
    'onnx.limit-depth: value "s": there are more than 100 messages inside one another',
  ),
  'a bad node in a subgraph': refused(
    p.model(
      p.graphOf(
        p.node(
          'If',
          ['x'],
          ['y'],
          p.text(3, 'if'),
          p.attribute('then_branch', GRAPH, p.message(6, p.message(1, p.node('', [], ['z'], p.text(3, 'inner'))))),
        ),
      ),
    ),
    'onnx.node-operator: node "if" (If): attribute "then_branch": node "inner" (?) does not say which operator it is',
  ),

  'values of all kinds': accepted(
    p.relu(
      p.message(13, p.value('untyped')),
      p.message(13, p.value('unranked', p.message(1, p.int(1, 1)))),
      p.message(13, p.value('negative', p.tensorType(f32, -1))),
      p.message(13, p.value('future', p.tensorType(77, 3))),
      p.message(13, p.value('opaque', p.message(7, p.text(1, 'd'), p.text(2, 'n')))),
      p.message(13, p.value('map', p.message(5, p.int(1, 7), p.message(2, p.tensorType(f32))))),
      p.message(13, p.value('maybe', p.message(9, p.message(1, p.tensorType(f32, 'N'))))),
      p.message(13, p.value('sparse', p.message(8, p.int(1, 1)))),
      p.message(
        13,
        p.value(
          'image',
          p.message(1, p.int(1, 1), p.message(2, p.message(1, p.int(1, 3), p.text(3, 'DATA_CHANNEL')))),
          p.text(6, 'IMAGE'),
        ),
      ),
      p.message(13, p.value('told'), p.text(3, 'doc'), p.entry(4, 'k', 'v')),
    ),
  ),
  'a value with a hundred dimensions': refused(
    p.relu(p.message(13, p.value('v', p.tensorType(f32, ...Array<number>(100).fill(1))))),
    'onnx.limit-dims: value "v": there are more than 64 dimensions in one shape',
  ),
  'quantization annotations': accepted(
    p.relu(p.message(14, p.text(1, 'x'), p.entry(2, 'SCALE_TENSOR', 's')), p.entry(16, 'k', 'v'), p.text(10, 'doc')),
  ),

  'a function': accepted(p.cat(p.relu(), fn('g', p.node('Relu', ['a'], ['b'])))),
  'a function twice': refused(
    p.cat(p.relu(), fn('g'), fn('g')),
    'onnx.duplicate-function: function "f.g" is defined twice',
  ),
  'a function that calls itself': refused(
    p.cat(p.relu(), fn('g', call('g'))),
    'onnx.recursive-function: function "f.g" calls itself',
  ),
  'functions that call each other': refused(
    p.cat(p.relu(), fn('g', call('h')), fn('h', call('g'))),
    'onnx.recursive-function: function "f.g" calls itself',
  ),
  'functions of 10^4 nodes': accepted(p.cat(p.model(p.graphOf(call('f0', 'x', 'y'))), ...bomb(4))),
  'functions of 10^12 nodes': refused(
    p.cat(p.model(p.graphOf(call('f0', 'x', 'y'))), ...bomb(12)),
    'onnx.limit-inlinednodes: there are more than 10000000 nodes once functions are inlined',
  ),
  'a bad node in a function': refused(
    p.cat(p.relu(), fn('g', p.node('', ['a'], ['b']))),
    'onnx.node-operator: function "f.g": the node of "b" (?) does not say which operator it is',
  ),

  'more nodes than the limit': refused(
    p.model(...Array.from({ length: 50 }, () => p.message(1, p.node('Relu', [''], [''])))),
    'onnx.limit-nodes: there are more than 49 nodes',
    { nodes: 49 },
  ),
  'more entries than the limit': refused(
    p.model(p.message(1, p.node('Relu', Array<string>(500).fill(''), ['y']))),
    'onnx.limit-items: the node of "y" (Relu): there are more than 400 list entries in all',
    { items: 400 },
  ),
  'a name longer than the limit': refused(
    p.model(p.message(1, p.node('Relu', ['x'.repeat(20_000)], ['y'], p.text(3, 'n')))),
    'onnx.limit-namebytes: node "n" (Relu): there are more than 16384 bytes in one name',
  ),
  'a text longer than the limit': refused(
    p.constant(p.attribute('value_string', STRING, p.text(4, 'x'.repeat(2000)))),
    'onnx.limit-textbytes: node "c" (Constant): attribute "value_string": there are more than 1000 bytes in one text',
    { textBytes: 1000 },
  ),
  'many small unknown fields': refused(
    p.cat(p.relu(), ...Array.from({ length: 200 }, () => p.int(900, 1))),
    'onnx.limit-items: there are more than 1000 list entries in all',
    {
      items: 1000,
    },
  ),
}

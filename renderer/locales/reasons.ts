import type { Language } from './index.ts'
import { chineseMethodReasons } from './method-reasons.ts'
import { chineseProblems } from './problem-reasons.ts'

/*
 * Why channels go together and why some stay whole is said by the rules of operators (`workers/ops/coupling`), in
 * English, as the command line prints it. Here is the same in other languages, by the English sentence; `{…}` stands for
 * what differs from case to case. A sentence that is not here stays as it was said.
 */

/** Sentences of the rules in Simplified Chinese. */
export const chineseReasons: Readonly<Record<string, string>> = {
  // Why channels go together.
  'its input channels': '它的输入通道',
  'its output channels': '它的输出通道',
  'its inputs': '它的输入',
  'its initial state': '它的初始状态',
  'one bias for each output channel': '每个输出通道一个偏置',
  'one scale for each channel': '每个通道一个缩放系数',
  'it scales every channel': '它缩放每个通道',
  'it normalizes channel by channel': '它逐通道归一化',
  'its groups keep equally many channels': '它的各组保留同样多的通道',
  'its groups are cut as wholes': '它的组只能整组剪除',
  'each output channel reads one input channel': '每个输出通道读取一个输入通道',
  'the gates of one hidden unit': '同一隐藏单元的各个门',
  'one head of attention': '同一个注意力头',
  'channels that become pixels of one channel': '这些通道变成同一通道的像素',
  'they multiply matrix by matrix': '它们逐矩阵相乘',
  'they share the index {letter}': '它们共用下标 {letter}',
  'they are concatenated along another axis': '它们沿另一个轴拼接',
  'it adds them': '它将它们相加',
  '{op} combines them element by element': '{op} 将它们逐元素合并',
  'its rows are {sizes} elements': '它的每行有 {sizes} 个元素',
  // Why channels stay whole.
  'it is the input "{name}"': '它是输入“{name}”',
  'it is the output "{name}"': '它是输出“{name}”',
  'a branch or loop body reads it': '有分支或循环体读取它',
  'a branch, a loop body or an output reads "{name}"': '有分支、循环体或输出读取“{name}”',
  '"{name}" is {dtype}, which has no single elements': '“{name}”是 {dtype}，没有可单独取出的元素',
  'only one factor of an axis that a reshape splits can be cut': '被 Reshape 拆分的轴只能剪其中一个因子',
  'all its channels hang together as one': '它的所有通道连成一体',
  'it mixes axes of open size': '它混合了大小未定的轴',
  'it splits channels at sizes that do not divide each other': '它拆分通道的大小互不整除',
  'the softmax runs over these channels': 'softmax 跨这些通道计算',
  'the maximum runs over these channels': '最大值跨这些通道计算',
  'it normalizes over these channels': '它跨这些通道归一化',
  'it normalizes over the channels': '它跨通道归一化',
  'it takes the {what} over these channels': '它对这些通道取 {what}',
  'it adds these channels up': '它将这些通道相加',
  'it keeps a triangle': '它保留一个三角形',
  'it looks rows up': '它按行查表',
  'it picks this channel': '它选取这个通道',
  'it pads this axis': '它填充这个轴',
  'it rotates these elements in pairs': '它成对旋转这些元素',
  'it scales block by block': '它逐块缩放',
  'it is joined with an axis of open size': '它与大小未定的轴相连',
  'its rank is not known': '它的维数未知',
  'its ranks are not known': '它们的维数未知',
  'its ranks differ': '它们的维数不同',
  'its shape is not known': '它的形状未知',
  'its shapes are not known': '它们的形状未知',
  'its size is not known': '它的大小未知',
  'its size is open': '它的大小未定',
  'its axis is not known': '它的轴未知',
  'its heads are not known': '它的注意力头未知',
  'its operands are not matrices': '它的操作数不是矩阵',
  'its sizes are computed in the graph': '它的大小在图中计算',
  'sizes differ': '大小不同',
  'the rank of its input is not known': '其输入的维数未知',
  'the rank of its output is not known': '其输出的维数未知',
  'the shape of its weight is not known': '其权重的形状未知',
  'the shape of its weights is not known': '其权重的形状未知',
  'the sizes of its parts are not known': '其各部分的大小未知',
  'the axes it reduces are not known': '它归约的轴未知',
  'what it takes is not known': '它取什么未知',
  'how often it repeats is not known': '它重复多少次未知',
  'nothing to join': '没有可连接的',
  'no channels': '没有通道',
  'no batch': '没有批',
  'the directions': '各个方向',
  'the kernel': '卷积核',
  'the size of a head': '注意力头的大小',
  'lengths of sequences': '序列长度',
  'a spatial axis': '空间轴',
  'a reduced axis': '被归约的轴',
  'a single channel': '单个通道',
  'a single element': '单个元素',
  'a statistic': '统计量',
  'an open size': '大小未定',
  'an identity matrix': '单位矩阵',
  'an equation without named axes': '没有具名轴的算式',
  'an index of no operand': '不属于任何操作数的下标',
  'a transposed product': '转置的乘积',
  'a cache or uneven projections': '缓存或不均匀的投影',
  'a parameter of unknown shape': '形状未知的参数',
  'keys and values in another layout': '键和值采用另一种布局',
  'heads and their elements are one axis': '头与其元素同在一个轴',
  'several input channels per group': '每组有多个输入通道',
  'one element for each group': '每组一个元素',
  'not a vector': '不是向量',
  'not a unit': '不是单元',
  'not a head': '不是注意力头',
  positions: '位置',
  coordinates: '坐标',
  // Operators that nothing is cut through.
  'operator {op} is unknown here': '此处不认识算子 {op}',
  'what it picks depends on the data': '它选取什么取决于数据',
  'it mixes all elements of a signal': '它混合信号的所有元素',
  'its branches or loop bodies read it': '它的分支或循环体读取它',
  'it works on lists of tensors or optional values': '它处理张量列表或可选值',
  'it works on text': '它处理文本',
  'its weights are quantized; prune the float model': '其权重已量化；请剪枝浮点模型',
  'a loss': '损失',
  'it works on whole matrices': '它处理整个矩阵',
  'it makes coordinates': '它生成坐标',
  'it reads elements as others': '它把元素读作其他类型',
  'a convolution with a running state': '带运行状态的卷积',
  'it crops by a computed size': '它按计算出的大小裁剪',
  'it puts patches together': '它拼合图块',
  'a convolution with learnt offsets': '带可学习偏移的卷积',
  'it decodes images': '它解码图像',
  'attention with a running state': '带运行状态的注意力',
  'a gated activation as one operator': '作为单个算子的门控激活',
  // Why layers stay in float.
  'it was told to stay in float': '已指定保留浮点',
  'its first operand is a constant': '它的第一个操作数是常量',
  'its input is not known to be float32': '不确定其输入是否为 float32',
  'its second operand is not known to be float32': '不确定其第二个操作数是否为 float32',
  'its second operand is not a constant float32 matrix': '它的第二个操作数不是 float32 常量矩阵',
  'its weight is not a float32 constant': '它的权重不是 float32 常量',
  'it is quantized already': '它已量化',
  'it transposes its input': '它转置其输入',
  'convolutions stay in float unless told': '除非另行指定，卷积保留浮点',
  '{type} per channel': '{type}，逐通道',
  // What processors make of integers.
  'the processor multiplies int8 natively ({flags})': '处理器原生支持 int8 乘法（{flags}）',
  'no VNNI: int8 models are often slower than float here, and sums of u8·s8 pairs saturate; use reduceRange':
    '没有 VNNI：int8 模型在此往往比浮点慢，且 u8·s8 成对求和会饱和；请使用 reduceRange',
  'the system does not tell what the processor can do': '系统没有说明处理器的能力',
  // What is odd about a quantization.
  'only {n} samples were calibrated with; ranges settle at about 100 to 300':
    '仅用 {n} 个样本校准；范围约在 100 至 300 个样本时稳定',
  '"{name}" was zero for every calibration sample: it carries nothing there':
    '“{name}”在每个校准样本中都为零：那里没有信息',
  '"{name}" was always zero during calibration': '“{name}”在校准期间始终为零',
  'no set of float layers keeps the drop within {drop} %': '没有任何浮点层组合能把下降保持在 {drop} % 以内',
  'the float model has {accuracy} of {n} samples right, which is no better than guessing ({chance}): check that the preprocessing is what the model was trained with':
    '浮点模型在 {n} 个样本中答对 {accuracy}，并不比猜测（{chance}）好：请检查预处理是否与训练时一致',
  'on processors with AVX2 but no VNNI sums would saturate in {n} of {of} layers (worst: "{layer}", {share} % of its sums, {db} dB): use reduceRange for a model that is to run there':
    '在有 AVX2 但无 VNNI 的处理器上，{of} 层中有 {n} 层的求和会饱和（最严重：“{layer}”，{share} % 的求和，{db} dB）：若要在其上运行，请使用 reduceRange',
  '{n} elements of "{name}" are beyond ±{limit} and were clamped': '“{name}”有 {n} 个元素超出 ±{limit}，已截断',
  '{n} elements of "{name}" are too small for float16 and became zero':
    '“{name}”有 {n} 个元素对 float16 而言太小，已变为零',
}

const catalogs: Readonly<Partial<Record<Language, Readonly<Record<string, string>>>>> = {
  'zh-CN': { ...chineseProblems, ...chineseMethodReasons, ...chineseReasons },
}

interface Pattern {
  readonly form: RegExp
  readonly names: readonly string[]
  readonly text: string
}

function patternsOf(catalog: Readonly<Record<string, string>>): readonly Pattern[] {
  return Object.entries(catalog).flatMap(([english, text]): readonly Pattern[] => {
    if (!english.includes('{')) return []
    const names = [...english.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '')
    const form = english.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '(.+?)')
    return [{ form: new RegExp(`^${form}$`), names, text }]
  })
}
const patterns = new Map(Object.entries(catalogs).map(([language, catalog]) => [language, patternsOf(catalog)]))

/** How a node is named: `node "conv1" (Conv)`, `the Add node that computes "sum"`, `an unnamed Add node`. */
const labels: readonly (readonly [form: RegExp, text: (a: string, b: string) => string])[] = [
  [/^node "(.*?)" \((\S+?)\)/, (name, op) => `节点“${name}”(${op})`],
  [/^the (\S+) node that computes "(.*?)"/, (op, value) => `计算“${value}”的 ${op} 节点`],
  [/^an unnamed (\S+) node/, (op) => `未命名的 ${op} 节点`],
]

function labelIn(text: string): { readonly length: number; readonly said: string } | undefined {
  for (const [form, say] of labels) {
    const found = form.exec(text)
    if (found) return { length: found[0].length, said: say(found[1] ?? '', found[2] ?? '') }
  }
  return undefined
}

/** Reasons one after the other, as problems list them; a text that is none stays as it is. */
const explainEach = (text: string, language: Language): string =>
  text
    .split('; ')
    .map((one) => explain(one, language))
    .join('；')

/** Where the next thing begins that an axis is to a node. */
const nextUse = /, (?=(?:output channels|input channels|bias|scale|shift|running statistic|last state|operand) of )/

/** What an axis is to its nodes: `output channels of node "conv1" (Conv), bias of node "conv1" (Conv)`. */
export const explainUse = (text: string, language: Language): string =>
  language === 'en'
    ? text
    : text
        .split(nextUse)
        .map((one) => explain(one, language))
        .join('，')

/** A sentence about channels in a language of the screen: `node "add" (Add): Add combines them element by element`. */
export function explain(text: string, language: Language): string {
  const catalog = catalogs[language]
  if (!catalog) return text
  const label = labelIn(text)
  if (label) {
    const rest = text.slice(label.length)
    if (rest === '') return label.said
    if (rest.startsWith(': ')) return `${label.said}：${explain(rest.slice(2), language)}`
    if (rest === ' makes it') return `${label.said}生成它`
    return `${label.said}${rest}`
  }
  const known = catalog[text]
  if (known !== undefined) return known
  for (const { form, names, text: translated } of patterns.get(language) ?? []) {
    const found = form.exec(text)
    // What stands for a node or a list of reasons is said in the same language.
    if (found)
      return names.reduce(
        (said, name, i) => said.replace(`{${name}}`, () => explainEach(found[i + 1] ?? '', language)),
        translated,
      )
  }
  return text
}

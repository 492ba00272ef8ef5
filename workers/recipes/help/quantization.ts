import { words, type MethodPage } from './words.ts'

const size = words(
  'The 3.63 MB that are told of a quantized MobileNetV2 are a pretrained model of which everything is int8. Dynamic quantization of its linear layers alone leaves about 10 MB: the convolutions stay float. A static example that never calibrates, fuses or switches to evaluation does not measure anything.',
  '传说中量化 MobileNetV2 的 3.63 MB 是全部为 int8 的预训练模型。只对线性层做动态量化仍约 10 MB：卷积仍是浮点。从不校准、不融合、不切换到评估模式的静态示例什么也测不出。',
)

export const quantization = {
  quantize: {
    title: words('Quantize', '量化'),
    help: words(
      'Stores weights, and computes activations, in 8 bits or less; returns layers to float until accuracy is kept.',
      '以 8 位或更少存储权重、计算激活；必要时让部分层回到浮点以保住准确率。',
    ),
    does: words(
      'A number x becomes the integer round(x / scale) + zero point. Scales of weights follow from the weights, those of activations from calibration samples. Layers that suffer most go back to float until the allowed loss is met.',
      '数 x 变为整数 round(x / scale) + 零点。权重的尺度来自权重本身，激活的尺度来自校准样本。受损最大的层依次回到浮点，直到满足允许的损失。',
    ),
    helps: [
      words(
        'Four times smaller at once, with some hundred samples and no labels.',
        '只需几百个样本且无需标签，立即缩小四倍。',
      ),
      words(
        'Processors with VNNI, or phones: int8 is often about twice as fast.',
        '带 VNNI 的处理器或手机：int8 往往快一倍左右。',
      ),
    ],
    not: [
      words(
        'The processor has no int8 instructions: it may be slower than float. Measure it here.',
        '处理器没有 int8 指令：可能比浮点更慢。请在本机测量。',
      ),
      words(
        'The net is depthwise all over and drops much: equalize first, learn the rounding, or train quantized.',
        '网络全是深度卷积且下降很大：先均衡、学习舍入，或量化感知训练。',
      ),
    ],
    corrections: [size],
    picture: words('A smooth curve and the stairs that stand for it.', '一条平滑曲线与代表它的阶梯。'),
    simple: ['mode', 'calibration', 'samples', 'maxDrop', 'exclude'],
    layers: 'exclude',
  },
  qat: {
    title: words('Train quantized (QAT)', '量化感知训练（QAT）'),
    help: words(
      'Goes on training with the rounding of int8, or fewer bits, in the net; what is exported is what was trained.',
      '在网络中带着 int8 或更少位数的舍入继续训练；导出的就是训练的。',
    ),
    does: words(
      'Quantize–dequantize pairs stand in the graph during training; gradients pass straight through the rounding, so weights learn to lie where rounding does little harm.',
      '训练时图中带有量化—反量化对；梯度直接穿过舍入，权重学会落在舍入损害小的位置。',
    ),
    helps: [
      words(
        'Quantizing after training loses too much, or fewer than 8 bits are wanted.',
        '训练后量化损失过大，或需要少于 8 位。',
      ),
      words(
        'There is training data; labels are not needed with the float model as teacher.',
        '有训练数据；以浮点模型为教师时无需标签。',
      ),
    ],
    not: [
      words(
        'Static quantization already keeps accuracy: it takes minutes, not hours.',
        '静态量化已能保住准确率：它只需几分钟而非几小时。',
      ),
      words('There is no training data.', '没有训练数据。'),
    ],
    corrections: [size],
    picture: words('The loss is seen through the stairs while weights move.', '权重移动时，损失透过阶梯被看见。'),
    simple: ['epochs', 'lr', 'scales', 'teacher', 'weightBits'],
    layers: 'exclude',
  },
  adaround: {
    title: words('Learn rounding (AdaRound)', '学习舍入（AdaRound）'),
    help: words(
      'Static quantization whose weights are rounded up or down by what it does to the outputs of their layer.',
      '静态量化，但每个权重向上或向下舍入由其对该层输出的影响决定。',
    ),
    does: words(
      'Rounding to nearest is not best for a layer as a whole. For each layer a soft choice between up and down is optimized on unlabelled samples until it is hard.',
      '四舍五入对整层并非最优。对每层用无标签样本优化“向上或向下”的软选择，直到变硬。',
    ),
    helps: [
      words(
        'Static quantization loses one or some per cent and training is not possible.',
        '静态量化损失一个或几个百分点，又无法训练。',
      ),
      words('Weights of 4 bits.', '4 位权重。'),
    ],
    not: [
      words('Int8 already keeps accuracy: there is nothing to gain.', 'int8 已保住准确率：没有收益。'),
      words(
        'Large models on few cores: each layer is optimized for thousands of steps.',
        '少核机器上的大模型：每层要优化数千步。',
      ),
    ],
    picture: words(
      'Weights between two steps go up or down, not always to the nearer.',
      '两级之间的权重或上或下，不总取最近。',
    ),
    simple: ['iterations', 'roundingSamples', 'calibration', 'maxDrop'],
    layers: 'exclude',
  },
  equalize: {
    title: words('Equalize layers', '层均衡'),
    help: words(
      'Folds batch normalizations and balances the channels of layers that follow each other, so that one scale fits all of them. The function stays the same.',
      '折叠批归一化并均衡相邻层的通道，使一个尺度适合所有通道。函数不变。',
    ),
    does: words(
      'A channel can be divided by a factor in one layer and multiplied by it in the next: Relu lets it through. The factors are chosen so that the ranges of all channels are alike.',
      '一个通道可在一层除以某因子、在下一层乘回：Relu 会让它通过。选取因子使各通道的范围相近。',
    ),
    helps: [
      words(
        'Depthwise nets, such as MobileNets, before they are quantized with one scale per layer.',
        'MobileNet 等深度卷积网络，在按层尺度量化之前。',
      ),
      words('No data at all is at hand.', '完全没有数据。'),
    ],
    not: [
      words(
        'Weights have a scale per channel: most of the gain is there already.',
        '权重已按通道定尺度：大部分收益已经得到。',
      ),
      words(
        'Activations between the layers do not scale: Relu6, Sigmoid, Swish.',
        '层间激活不具备缩放性：Relu6、Sigmoid、Swish。',
      ),
    ],
    picture: words('Uneven bars of two layers become level.', '两层高低不齐的柱变得齐平。'),
    simple: ['rounds', 'absorbHighBias'],
  },
} as const satisfies Readonly<Record<string, MethodPage>>

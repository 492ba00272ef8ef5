import { words, type MethodPage } from './words.ts'

const structuredAndNot = words(
  'Whether pruning is faster depends on its kind: cutting whole channels makes the net smaller and faster on any hardware; zeros of single weights only help where something skips or encodes them.',
  '剪枝能否加速取决于种类：剪去整个通道在任何硬件上都更小更快；单个权重置零只有在被跳过或编码时才有用。',
)

export const pruning = {
  prune: {
    title: words('Prune channels', '剪通道'),
    help: words(
      'Removes the least important channels, heads and hidden units with everything that depends on them.',
      '移除最不重要的通道、注意力头和隐藏单元，以及依赖它们的一切。',
    ),
    does: words(
      'Layers whose channels must go together form a group (a residual sum, for example). Each group’s channels are scored, and the least important ones are cut out of every weight of the group: the result is an ordinary, thinner model. Batch-norm statistics can be taken anew, or the net trained on, after the cut.',
      '必须一起剪的层组成一组（例如残差相加）。对每组通道打分，把最不重要的从该组所有权重中剪掉：结果是一个普通但更窄的模型。剪后可重新统计批归一化，或继续训练。',
    ),
    helps: [
      words(
        'The model must become faster everywhere, with no special runtime.',
        '模型需要在任何地方都更快，且不需要特殊运行时。',
      ),
      words(
        'There is data to recover with: the more is cut, the more that matters.',
        '有数据可用于恢复：剪得越多越重要。',
      ),
    ],
    not: [
      words('The model is thin already: every channel counts then.', '模型已经很窄：此时每个通道都重要。'),
      words(
        'There are no samples at all and much is cut: accuracy falls and nothing brings it back.',
        '完全没有样本却剪得很多：准确率下降且无法恢复。',
      ),
      words(
        'Channels no longer fill the vector units: smaller, not faster. Let them be multiples of 8 or 16.',
        '通道数不再填满向量单元：更小但不更快。请让通道数为 8 或 16 的倍数。',
      ),
    ],
    corrections: [
      words(
        'The often quoted “75 % fewer parameters, 50 % less time” of ResNet-50 is a motivation in a survey, not an experiment. Half of the channels of ResNet-50 leave 6.41 of 25.56 million parameters and 1.07 of 4.12 billion MACs; what that costs in accuracy must be measured (Cheng et al. 2017, arXiv:1710.09282; Fang et al. 2023, arXiv:2301.12900).',
        '常被引用的 ResNet-50“参数减 75 %、时间减 50 %”是综述中的动机，并非实验。ResNet-50 剪去一半通道后剩 2556 万中的 641 万参数、41.2 亿中的 10.7 亿 MAC；准确率的代价必须实测（Cheng 等 2017，arXiv:1710.09282；Fang 等 2023，arXiv:2301.12900）。',
      ),
      structuredAndNot,
    ],
    picture: words('Whole channels leave, in every layer that shares them.', '整个通道从共享它们的每一层中移除。'),
    simple: ['ratio', 'method', 'scope', 'budget', 'recover', 'epochs', 'rules'],
    layers: 'rules',
  },
  slim: {
    title: words('Slim', '瘦身'),
    help: words(
      'Trains with a term that makes channels dispensable, cuts the least important ones, and trains on.',
      '训练时加入惩罚项使通道可有可无，剪去最不重要的，再继续训练。',
    ),
    does: words(
      'An L1 term draws batch-norm scales to zero (or a decay the weights of whole groups, or masks that are drawn anew each epoch). After some epochs the channels with the smallest scales are cut, and the net is trained on.',
      'L1 项把批归一化的缩放系数推向零（或对整组权重做衰减，或每轮重新抽取掩码）。若干轮后剪去系数最小的通道并继续训练。',
    ),
    helps: [
      words('There is time to train, and the net has batch normalizations.', '有时间训练，且网络带批归一化。'),
      words('Pruning at once loses too much.', '一次性剪枝损失太大。'),
    ],
    not: [
      words(
        'The model has no batch normalizations: insert them first, or use the regularizer group.',
        '模型没有批归一化：先插入，或使用 group 正则。',
      ),
      words('There is no labelled data.', '没有带标签的数据。'),
    ],
    corrections: [structuredAndNot],
    picture: words('Scales shrink during training; the smallest bars are cut.', '训练中缩放系数变小；最矮的柱被剪掉。'),
    simple: ['ratio', 'sparseEpochs', 'strength', 'regularizer', 'epochs', 'rules'],
    layers: 'rules',
  },
  sparsify: {
    title: words('Sparsify', '稀疏化'),
    help: words(
      'Sets single weights to zero by size or saliency, n of m, at once or gradually; what is left can be trained on.',
      '按大小、显著性或 n:m 将单个权重置零，一次或逐步进行；剩余部分可继续训练。',
    ),
    does: words(
      'Weights are ranked, by absolute value or by what the loss would lose, and the lowest become zero. Shapes stay as they are. With several rounds the share rises on a cubic curve, fast at first.',
      '按绝对值或损失的变化给权重排序，最低的置零。形状不变。多轮时比例按三次曲线上升，先快后慢。',
    ),
    helps: [
      words('The model is packed afterwards, or a runtime uses 2:4 zeros.', '之后会打包，或运行时能利用 2:4 稀疏。'),
      words('You want to know how much of a layer is needed at all.', '想知道某一层究竟需要多少权重。'),
    ],
    not: [
      words(
        'The ONNX file must be smaller or faster by itself: zeros are stored and multiplied like any number.',
        '需要 ONNX 文件本身更小或更快：零与其他数一样被存储和相乘。',
      ),
      words('The model is trained afterwards by another step: zeros grow again.', '之后由其他步骤训练：零会重新增长。'),
    ],
    corrections: [
      words(
        'Zeroing whole filters with a mask (`ln_structured`) changes neither shapes nor speed; only cutting them does. The usual example takes the L2 norm, where the cited method takes L1 (Li et al. 2017, arXiv:1608.08710).',
        '用掩码将整个滤波器置零（`ln_structured`）既不改变形状也不加速；只有真正剪掉才行。常见示例用 L2 范数，而所引方法用 L1（Li 等 2017，arXiv:1608.08710）。',
      ),
      structuredAndNot,
    ],
    picture: words(
      'A grid of weights; many of them are empty, the grid stays as large.',
      '权重网格中许多格子为空，网格大小不变。',
    ),
    simple: ['sparsity', 'method', 'scope', 'rounds', 'epochs', 'layers'],
    layers: 'layers',
  },
  'prune-retrain': {
    title: words('Prune and retrain', '剪枝并重训'),
    help: words(
      'Sets the smallest weights to zero and trains the others on; several such steps in a row prune further.',
      '将最小的权重置零并继续训练其余权重；连续多步可剪得更多。',
    ),
    does: words(
      'The first half of Deep Compression: what is small goes, what is left learns to do without it, and zeros stay zero through training.',
      'Deep Compression 的前半部分：小权重被去掉，其余学会弥补，训练中零保持为零。',
    ),
    helps: [
      words('The model shall be packed: zeros are what makes the container small.', '模型将被打包：零使容器变小。'),
      words(
        'Nearly all weights of large dense layers can go: nine of ten and more.',
        '大型全连接层的绝大多数权重都可去掉：十分之九以上。',
      ),
    ],
    not: [
      words('Speed is wanted on an ordinary processor.', '希望在普通处理器上加速。'),
      words('There is no labelled data to train with.', '没有带标签的数据用于训练。'),
    ],
    corrections: [
      words(
        'The famous 35× and 49× are file sizes after pruning, sharing and Huffman coding together, not quantization’s. The 3× of speed was measured on pruned dense layers at batch 1; it goes away with larger batches, and the quantized model was not timed (Han, Mao & Dally 2016, arXiv:1510.00149).',
        '著名的 35× 和 49× 是剪枝、共享、霍夫曼编码合起来的文件大小，并非量化所得。3× 的速度是在批大小为 1 的剪枝全连接层上测得；批次变大即消失，且没有对量化模型计时（Han、Mao 与 Dally 2016，arXiv:1510.00149）。',
      ),
    ],
    picture: words(
      'Prune, retrain, prune again: the circle that keeps accuracy.',
      '剪枝、重训、再剪枝：保持准确率的循环。',
    ),
    simple: ['keep', 'epochs', 'lr', 'scope'],
    layers: 'keep',
  },
} as const satisfies Readonly<Record<string, MethodPage>>

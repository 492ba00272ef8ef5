import { words, type MethodPage } from './words.ts'

/** Factors, shared values and what they are packed into. */
export const weights = {
  factorize: {
    title: words('Factorize', '低秩分解'),
    help: words(
      'Writes convolutions and matrix products as several smaller ones; layers stay where that would not pay.',
      '把卷积和矩阵乘法写成几个更小的；不划算的层保持原样。',
    ),
    does: words(
      'A weight of low rank is nearly a product of thin ones: a matrix by its singular values, a convolution by Tucker or CP decomposition. Each layer becomes two to four thin layers with the same inputs and outputs.',
      '低秩权重近似为几个窄矩阵的乘积：矩阵用奇异值分解，卷积用 Tucker 或 CP 分解。每层变成两到四个窄层，输入输出不变。',
    ),
    helps: [
      words(
        'Layers are large: wide dense layers, 3×3 convolutions with many channels.',
        '层很大：宽的全连接层、通道很多的 3×3 卷积。',
      ),
      words(
        'No data is at hand: the weights are enough, though a little fine-tuning helps a lot.',
        '手头没有数据：只凭权重即可，但少量微调大有帮助。',
      ),
    ],
    not: [
      words(
        'Layers are small or depthwise: the factors are larger than the layer, and it is left as it is.',
        '层很小或为深度卷积：因子比原层还大，因此保持原样。',
      ),
      words(
        'Latency counts and the net is many small layers: more layers cost more calls.',
        '看重延迟且网络由许多小层组成：层数越多调用越多。',
      ),
    ],
    corrections: [
      words(
        'The ratios 2.75× and 2.05× that are told of VGG-16 with Tucker belong to a CP decomposition, and count convolutions only: the dense layers, most of VGG’s parameters, are not in them (Cheng et al. 2017, arXiv:1710.09282).',
        '传说中 VGG-16 用 Tucker 得到的 2.75× 和 2.05× 实为 CP 分解，且只计卷积：VGG 的大部分参数在全连接层，并未计入（Cheng 等 2017，arXiv:1710.09282）。',
      ),
      words(
        '“Useless for 1×1 convolutions” holds for spatial and CP decompositions. A singular value decomposition pays as soon as R < T·S / (T + S), with T outputs and S inputs.',
        '“对 1×1 卷积无用”只适用于空间分解和 CP 分解。设输出 T、输入 S，只要 R < T·S / (T + S)，奇异值分解就划算。',
      ),
      words(
        'The loss of accuracy of Jaderberg et al. is “less than 1 %”, not exactly 1 % (arXiv:1405.3866).',
        'Jaderberg 等的准确率损失是“小于 1 %”，而不是正好 1 %（arXiv:1405.3866）。',
      ),
    ],
    picture: words('A large matrix becomes a tall and a wide thin one.', '一个大矩阵变成一高一宽两个窄矩阵。'),
    simple: ['conv', 'dense', 'rank', 'layers'],
    layers: 'layers',
  },
  cluster: {
    title: words('Share weights', '权重共享'),
    help: words(
      'Replaces the weights of each layer by few shared values (k-means) and trains these; zeros and who shares with whom stay.',
      '用少数共享值（k-means）代替每层的权重并训练这些值；零以及谁与谁共享保持不变。',
    ),
    does: words(
      'K-means finds 2^bits values for each layer; every weight becomes the nearest of them. Training moves the shared values only.',
      'k-means 为每层找出 2^bits 个值；每个权重取最近者。训练只移动这些共享值。',
    ),
    helps: [
      words(
        'The model is packed afterwards: an index of 5 bits and a table take the place of 32 bits.',
        '之后会打包：5 位索引加一张表代替 32 位。',
      ),
      words('After pruning single weights: zeros stay zero.', '单个权重剪枝之后：零保持为零。'),
    ],
    not: [
      words(
        'The model goes to int8: shared values and steps of a scale are alternatives.',
        '模型要量化为 int8：共享值与等距量化二选一。',
      ),
      words(
        'The ONNX file itself must be smaller: in the form dense each weight still takes four bytes.',
        '需要 ONNX 文件本身更小：dense 形式下每个权重仍占四字节。',
      ),
    ],
    corrections: [
      words(
        'Sharing alone does not give 35×: that number is the packed file after pruning, sharing and Huffman coding (Han, Mao & Dally 2016, arXiv:1510.00149).',
        '仅靠共享得不到 35×：那是剪枝、共享和霍夫曼编码之后的打包文件（Han、Mao 与 Dally 2016，arXiv:1510.00149）。',
      ),
    ],
    picture: words('Many weights on a line move to a few common points.', '数轴上的许多权重移到少数公共点。'),
    simple: ['convBits', 'denseBits', 'epochs', 'lr', 'bits'],
    layers: 'bits',
  },
  pack: {
    title: words('Pack', '打包'),
    help: words(
      'Writes the model as a .cmpz container beside the ONNX file: relative indices, codebooks, Huffman codes; bit-exact.',
      '在 ONNX 文件旁写出 .cmpz 容器：相对索引、码本、霍夫曼编码；逐位精确。',
    ),
    does: words(
      'Zeros are skipped by their distance, repeated values are stored once, and both get short codes where they are frequent. Unpacking gives the same ONNX file, bit for bit.',
      '零以间距跳过，重复值只存一次，常见者用短码。解包得到逐位相同的 ONNX 文件。',
    ),
    helps: [
      words(
        'The file is downloaded or shipped: after pruning and sharing it is ten times smaller and more.',
        '文件要下载或分发：剪枝和共享之后可缩小十倍以上。',
      ),
    ],
    not: [
      words('Memory at run time counts: it is unpacked before it runs.', '看重运行时内存：运行前会解包。'),
      words('Nothing was pruned or shared: floats hardly compress.', '没有剪枝或共享：浮点数几乎无法压缩。'),
    ],
    corrections: [
      words(
        'A ratio of file sizes says nothing of speed: 35× smaller on disk is the same number of MACs once it is unpacked.',
        '文件大小之比与速度无关：磁盘上小 35×，解包后 MAC 数相同。',
      ),
    ],
    picture: words('Indices and values become a short string of bits.', '索引和值变成一串短比特。'),
    simple: ['indexBits'],
  },
} as const satisfies Readonly<Record<string, MethodPage>>

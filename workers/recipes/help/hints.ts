/** Descriptions of options in Chinese, by what their schemas say in English. */
export const hints: Readonly<Record<string, string>> = {
  'What the result may cost: latency=50%, macs=50%, params=…, bytes=… or packed=… (a .cmpz container)':
    '结果最多允许的成本：latency=50%、macs=50%、params=…、bytes=… 或 packed=…（.cmpz 容器）',
  'Largest accuracy that may be lost, 0 to 1': '最多可损失的精度，0 到 1',
  'How long it may take; a trial that runs is finished': '最长用时（秒）；正在进行的试验会做完',
  'Epochs of the first trials that are trained; the best get three times as many':
    '第一批训练试验的轮数；最好的会得到三倍轮数',
  'How often the best go on to longer training': '最好的进入更长训练的次数',
  'Samples that the map of single layers is made with': '制作逐层敏感度图所用的样本数',
  'Share or number of training samples kept out to compare by': '留出用于比较的训练样本的比例或数量',
  'Type of activations': '激活的类型',
  'Zero in the middle of every range': '每个范围以零为中心',
  'Type of weights': '权重的类型',
  'Fewer bits than the type of weights has, stored in that type: 4-bit weights on int8 kernels':
    '比权重类型更少的位数，仍以该类型存储：在 int8 内核上使用 4 位权重',
  'A weight scale for each output channel': '每个输出通道一个权重尺度',
  'Weights of 7 bits: sums of u8·s8 pairs saturate on processors with AVX2 but no VNNI':
    '7 位权重：在有 AVX2 而无 VNNI 的处理器上，u8·s8 的和会饱和',
  'Extremes, or the clip of least error': '取极值，或取误差最小的截断',
  'How ranges of activations are chosen from what the samples show': '如何由样本选定激活的范围',
  'Samples to calibrate with; labels are not needed': '用于校准的样本数；不需要标签',
  'Most samples that run at once': '一次最多运行的样本数',
  'Share of |x| inside the range, in percent': '落在范围内的 |x| 的百分比',
  'Bins of the histograms': '直方图的箱数',
  'Groups that the entropy method merges bins into': '熵方法将箱合并成的组数',
  "The data set's own unless given": '不填则用数据集自带的',
  'fill distorts, cover cuts, contain adds black': 'fill 会变形，cover 会裁切，contain 会补黑边',
  'random is for training; evaluation takes the centre': 'random 用于训练；评估取中心',
  'As stored unless given; stored images are gray or RGB': '不填则按存储的颜色；存储的图像为灰度或 RGB',
  'Bytes become 0 … 1 with 1/255': '1/255 使字节变为 0 … 1',
  'One, or one for each channel': '一个，或每个通道一个',
  'flat is NCHW as one vector': 'flat 是把 NCHW 展成一个向量',
  'Balance the channels of layers that follow each other first': '先均衡相邻层的通道',
  'equalize: turn Relu6 into Relu, which scales with its input but is another function':
    '层均衡：将 Relu6 换成 Relu，它随输入缩放，但函数不同',
  'Add what quantization takes from the mean of every channel to the biases: as batch normalizations tell, or as measured, layer by layer':
    '把量化对各通道均值的影响补到偏置上：按批归一化推算，或逐层实测',
  'Let a last Gemm or MatMul put out float, at no cost': '让最后的 Gemm 或 MatMul 输出浮点，没有代价',
  'Layers that stay in float, by name': '按名称指定保持浮点的层',
  'Operators that stay in float': '保持浮点的算子',
  'Quantize what a quantized model still has in float': '量化已量化模型中仍为浮点的部分',
  'Largest accuracy that may be lost, 0 to 1; layers return to float until it is met':
    '允许的最大准确率损失（0 到 1）；各层依次回到浮点直到满足',
  'Share or number of training samples kept out to check accuracy with': '留出用于检查准确率的训练样本的比例或数量',
  'Most samples that accuracy is checked with': '检查准确率时最多使用的样本数',
  'Measure the signal-to-noise ratio of every layer': '测量每层的信噪比',
  'Simulate processors with AVX2 but no VNNI, where sums of u8·s8 pairs saturate, and warn':
    '模拟有 AVX2 而无 VNNI、u8·s8 的和会饱和的处理器并给出警告',
  'latency: keep layers in float that are faster so here, and never end slower than the float model':
    'latency：在本机浮点更快的层保持浮点，结果绝不慢于浮点模型',
  'Weights that share a scale, where only weights are quantized': '仅量化权重时，共享一个尺度的权重数',
  'Blocks without a zero point of their own': '各块没有自己的零点',
  'How block weights are rounded: to nearest, with the clip of least error, or by GPTQ (needs data)':
    '块内权重如何舍入：取最近、误差最小的截断，或 GPTQ（需要数据）',
  'GPTQ: columns with the largest curvature first': 'GPTQ：先处理曲率最大的列',
  'The most that the result may take: bytes=40% or latency=3ms; every layer gets the precision that harms least within it':
    '结果的上限：bytes=40% 或 latency=3ms；每层取得在此范围内损害最小的精度',
  'static: weights to their nearest codes, or so that each layer puts out what it did (GPTQ)':
    '静态：权重取最近的编码，或使每层的输出保持不变（GPTQ）',
  'dynamic and weights: convolutions too, which makes them smaller but not faster':
    'dynamic 与 weights：也包括卷积，会更小但不更快',
  'Steps of each layer; the reference implementation takes 10000': '每层的步数；参考实现用 10000',
  'Samples whose activations are kept for a layer': '每层保存其激活的样本数',
  'Samples of a step': '每步的样本数',
  'Learning rate of Adam': 'Adam 的学习率',
  'Megabytes of activations that are kept for a layer': '每层保存的激活的兆字节数',
  'Passes over the training set with the assignments fixed': '归属固定后遍历训练集的次数',
  'Samples per step': '每步的样本数',
  'Equal parts that a batch is taken in before the weights move: less memory, the same gradient where the loss is a mean over samples; batch normalization then sees a part at a time, and so do losses that compare samples':
    '权重更新前把一批分成的等份数：占用内存更少，损失为样本均值时梯度不变；批归一化与比较样本的损失则每次只看到一份',
  'Compute activations again in the backward pass instead of keeping them: less memory, more time':
    '反向传播时重新计算激活而不保存：内存更少，时间更长',
  'Base learning rate': '基础学习率',
  'Of SGD': '用于 SGD',
  'What is different for some parameters, by name': '按名称为部分参数单独设置',
  'Names of parameters; * stands for any characters': '参数名；* 代表任意字符',
  'Factor of the learning rate; 0 freezes': '学习率的系数；0 为冻结',
  'Instead of the common weight decay': '代替统一的权重衰减',
  'Shares of the run at which "step" falls': '“step”下降时在全程中的位置',
  'Factor at each milestone': '每次下降的系数',
  'Steps of linear warm-up': '线性预热的步数',
  'Largest global gradient norm': '全局梯度范数的上限',
  'Decay of the moving average of the weights': '权重滑动平均的衰减',
  'Keep batch-norm statistics as they are': '保持批归一化统计不变',
  'Share or number of training samples kept out to choose the best weights by; 0 keeps the last weights':
    '留出用于选择最佳权重的训练样本的比例或数量；0 表示保留最后的权重',
  'Pad each side and crop back at random (He et al. 2015, arXiv:1512.03385, §4.2: pad 4)':
    '四边填充后随机裁回（He 等 2015，arXiv:1512.03385，§4.2：填充 4）',
  'Chance of a horizontal mirror image; 0.5 is usual': '水平镜像的概率；通常 0.5',
  'Blank a square that may hang over the edge (DeVries and Taylor 2017, arXiv:1708.04552)':
    '遮住一个可越出边缘的方块（DeVries 与 Taylor 2017，arXiv:1708.04552）',
  '2^bits shared values in each convolution': '每个卷积 2^bits 个共享值',
  '2^bits shared values in each fully connected layer': '每个全连接层 2^bits 个共享值',
  'Others for single layers: name pattern to bits': '个别层另设：名称模式对应位数',
  'How k-means begins': 'k-means 如何开始',
  'dense: ordinary weights that repeat values; gather: codebooks and indices in the graph':
    'dense：普通权重，值有重复；gather：图中带码本和索引',
  'Passes over the training set': '遍历训练集的次数',
  "The net to train: a file, a zoo id, or made of the teacher's graph by auto, thin:0.5, shallow, separable, fire or shuffle; the model at hand unless given":
    '要训练的网络：文件、内置网络编号，或由教师的图生成（auto、thin:0.5、shallow、separable、fire、shuffle）；不填则为当前模型',
  "The net to learn from, or several whose logits are averaged; the model at hand when a student is given, else the run's input":
    '要学习的网络，或多个网络（logits 取平均）；给出学生时为当前模型，否则为运行的输入模型',
  'Terms of the loss: names, names with a weight (at:1000), or objects; kd unless given':
    '损失项：名称、带权重的名称（at:1000）或对象；不填则为 kd',
  'offline: from a finished teacher. mutual: peers teach each other. branches: small branches teach together. self: deeper layers teach shallower ones. born-again: generations of one architecture. assistant: by nets of a size between. progressive: stage by stage first':
    'offline：由训练好的教师。mutual：同伴互教。branches：小分支共同教。self：深层教浅层。born-again：同一结构的多代。assistant：经由大小居中的网络。progressive：先逐阶段',
  'T: larger ones show more of how the teacher ranks wrong classes; 4 unless given, 3 in self and branches':
    'T：越大越能体现教师对错误类别的排序；不填为 4，self 和 branches 为 3',
  'Weight of kd, soft-ce and logits, 0.9 unless given; cross-entropy gets the rest':
    'kd、soft-ce 和 logits 的权重，不填为 0.9；其余归交叉熵',
  "Self: weight of the features' squared distance": 'self：特征平方距离的权重',
  'Layers to compare, for every term that compares layers and names none itself':
    '要比较的层，用于所有比较层而未自行指定的损失项',
  'Mutual and branches: how many there are beside the student, or which nets':
    'mutual 和 branches：学生之外有几个，或是哪些网络',
  'Born-again: how many students follow each other': 'born-again：相继训练几代学生',
  'Assistant: the nets between, from the largest to the smallest': 'assistant：中间的网络，从大到小',
  'Progressive: epochs for each stage before the last phase': 'progressive：最后阶段之前每阶段的轮数',
  'Keep what the teacher says on disk when inputs repeat': '输入重复时把教师的输出存到磁盘',
  'Megabytes that this may take for one teacher and data set': '一个教师与数据集的缓存最多占用的兆字节',
  'Most rounds over all pairs of layers': '遍历所有层对的最多次数',
  'Turn Relu6 into Relu, which scales with its input but is another function':
    '将 Relu6 换成 Relu，它随输入缩放，但函数不同',
  'Move biases that lie three deviations above zero to the next layer; needs batch normalizations':
    '将高出零三个标准差的偏置移到下一层；需要批归一化',
  'Method for convolutions with more than one tap; none leaves them': '用于大于 1×1 的卷积的方法；none 保持不变',
  'Method for matrix products and 1×1 convolutions': '用于矩阵乘法和 1×1 卷积的方法',
  'How ranks are chosen: one rule, or a budget over all layers': '如何选秩：统一规则，或对所有层的预算',
  'These ranks; of Tucker output, input': '固定的秩；Tucker 为输出、输入',
  'A share of the ranks at which nothing is lost': '无损秩的一个比例',
  'So many times fewer parameters in each layer': '每层参数减少的倍数',
  'This share of the squares of the singular values is kept': '保留奇异值平方和的这一比例',
  'What variational Bayes takes for signal': '由变分贝叶斯判定为信号的部分',
  'This share of the parameters, over all layers': '所有层参数量的这一比例',
  'This share of the multiply-accumulates, over all layers': '所有层乘加数的这一比例',
  'This share of the latency, measured here': '本机实测延迟的这一比例',
  'Others for single layers, by name with *': '按名称（可用 *）为个别层另设',
  'Keep what layers put out on so many samples, not their weights; 0: needs no data':
    '让各层在这么多样本上的输出保持不变，而非其权重；0：不需要数据',
  'Also where the factors are not smaller': '即使因子并不更小也分解',
  'How CP decompositions are computed': 'CP 分解的计算方式',
  'Sweeps of alternating least squares': '交替最小二乘的扫描次数',
  'Regularization, as a share of the mean diagonal': '正则化，占对角线均值的比例',
  'Energy of the components over that of the weight: beyond, Tucker-2': '分量能量与权重能量之比：超过则改用 Tucker-2',
  'Samples that the statistics are taken from': '用于统计的样本数',
  'Samples at a time': '一次处理的样本数',
  "The model's or the data set's own unless given": '不填则用模型或数据集自带的',
  'Bits of a gap between weights; the best for each tensor unless given': '权重间距的位数；不填则对每个张量取最佳',
  'Share of the weights that stay, zeros of earlier steps among the others; or by layer: name pattern to share':
    '保留的权重比例（此前的零计入被剪部分）；或按层：名称模式对应比例',
  'layer: the same share in each; global: one threshold; lamp: one threshold of a score that spares small layers':
    'layer：每层相同比例；global：统一阈值；lamp：对小层宽容的统一阈值',
  'What makes a channel important; the least important ones go': '如何判定通道的重要性；最不重要的被剪去',
  'Share of the channels that goes': '剪去的通道比例',
  'The same share of every group of layers, the least important of the whole net, or by what each group costs in accuracy':
    '每组层剪去相同比例、剪去全网最不重要的，或按各组对准确率的代价',
  'The most that may stay, instead of a ratio: macs=50%, params=1000000, bytes=25%, latency=3ms':
    '代替比例，最多保留多少：macs=50%、params=1000000、bytes=25%、latency=3ms',
  'Cut in so many rounds, with new scores (and recovery) after each': '分这么多轮剪，每轮后重新打分（并恢复）',
  'Channels that stay are a multiple of this': '保留的通道数为此数的倍数',
  'Channels that stay in any layer; an emptied layer is an error else': '任何层至少保留的通道数；否则剪空即为错误',
  'Largest share that any layer loses': '任何一层最多失去的比例',
  'Layers with a ratio of their own; the last rule that matches counts': '有自己比例的层；以最后匹配的规则为准',
  'Name of a layer or weight, with * and ?': '层或权重的名称，可用 * 和 ?',
  'Its own share; 0 keeps it whole': '自己的比例；0 表示保持完整',
  'Channels that stay': '保留的通道数',
  'Score all layers of a group, as DepGraph does, or only those that make its channels, as Li et al.':
    '对组内所有层打分（DepGraph），或只对产生通道的层打分（Li 等）',
  'How the layers of a group are put together': '如何汇总组内各层',
  'What makes groups comparable': '如何使各组可比',
  'Of the method lp': '用于 lp 方法',
  'What goes of attention: heads, or the same elements of each': '注意力剪什么：整个头，或每个头的相同元素',
  'Samples that scores, statistics and reconstruction are taken from': '用于打分、统计和重构的样本数',
  'Of the scope sensitivity: shares that are tried': '范围 sensitivity：试探的比例',
  'Of the scope sensitivity: samples that accuracy is measured on': '范围 sensitivity：测量准确率的样本数',
  'What follows a cut: nothing, batch-norm statistics anew, also next layers fitted to their old outputs, or training on':
    '剪后做什么：不做、重新统计批归一化、再让后续层拟合原输出，或继续训练',
  'What fine-tuning follows: the labels, or the model as it was before (needs no labels)':
    '微调跟随什么：标签，或剪前的模型（不需要标签）',
  'follow: weight scales follow the weights; learn: every scale is trained too (LSQ)':
    'follow：权重尺度跟随权重；learn：尺度也一起训练（LSQ）',
  'What is learned from: labels, the float model (no labels needed), or both':
    '向什么学习：标签、浮点模型（不需要标签），或两者',
  'static: weights and calibrated activations in int8; dynamic: weights in int8, activations at run time; weights: 4 or 8 bits, float activations; fp16: half precision':
    'static：权重与校准后的激活为 int8；dynamic：权重为 int8，激活在运行时量化；weights：4 或 8 位权重，浮点激活；fp16：半精度',
  'qdq: pairs of QuantizeLinear and DequantizeLinear, which every runtime reads; qoperator: integer operators, as onnxruntime fuses them':
    'qdq：成对的 QuantizeLinear 和 DequantizeLinear，各运行时通用；qoperator：整数算子，与 onnxruntime 融合的相同',
  'Of weights, where only weights are quantized': '仅量化权重时的权重位数',
  'How channels are made dispensable: L1 on batch-norm scales (Network Slimming), decay by group (DepGraph), or masks that are drawn anew while all weights learn (GDP)':
    '如何使通道可有可无：对批归一化系数加 L1（Network Slimming）、按组衰减（DepGraph），或不断重取掩码而所有权重都学习（GDP）',
  'λ of the L1 term, or the decay of the least important channels': 'L1 项的 λ，或最不重要通道的衰减',
  'Passes over the training set before the cut': '剪枝前遍历训练集的次数',
  'Passes over the training set after each pruning; 0: none': '每次剪枝后遍历训练集的次数；0：不训练',
  'Which weights become zero: the smallest, by saliency, below q deviations, all but n of m, whole filters':
    '哪些权重置零：最小的、按显著性、低于 q 个标准差、m 个中只留 n 个、整个滤波器',
  'Share of the weights that become zero': '置零的权重比例',
  'The same share of every layer, or one ranking of all': '每层相同比例，或全部统一排序',
  'Of n:m: how many stay': 'n:m：保留几个',
  'Of n:m: in so many neighbours along the input': 'n:m：沿输入方向每几个相邻者',
  'Of deviation: standard deviations': 'deviation：标准差的倍数',
  'Of structured: the n of the Ln norm of a filter': 'structured：滤波器 Ln 范数的 n',
  'Weights or nodes by name, with *': '按名称指定权重或节点，可用 *',
  'Reach the sparsity in so many prunings, fast at first': '分这么多次达到稀疏度，先快后慢',
  'Of taylor and obd: samples that gradients are taken from': 'taylor 和 obd：用于求梯度的样本数',
  'What training follows: the labels, the model as it came to this step, or as it came to the run (neither needs labels)':
    '训练跟随什么：标签、进入本步骤时的模型，或进入运行时的模型（后两者不需要标签）',
  "Weight of what the teacher says; the samples' labels get the rest": '教师意见的权重；其余归样本标签',
  'T: larger ones show more of how the teacher ranks': 'T：越大越能体现教师的排序',
}

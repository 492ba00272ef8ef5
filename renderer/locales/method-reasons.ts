/**
 * Why a method leaves a node alone, in Simplified Chinese, by the English sentence (`workers/ops/quant.ts`,
 * `workers/ops/gradient`, `workers/passes/factorize`, the steps' looks at a model before they run). `{…}` stands for what
 * differs from case to case.
 */
export const chineseMethodReasons: Readonly<Record<string, string>> = {
  // What an axis is to its node.
  'output channels of {node}': '{node}的输出通道',
  'input channels of {node}': '{node}的输入通道',
  'bias of {node}': '{node}的偏置',
  'scale of {node}': '{node}的缩放系数',
  'shift of {node}': '{node}的平移',
  'running statistic of {node}': '{node}的运行统计量',
  'last state of {node}': '{node}的上一状态',
  'operand of {node}': '{node}的操作数',
  'goes along': '随之一起',
  // Quantization.
  'onnxruntime has no integer kernel for it on the CPU': 'onnxruntime 在 CPU 上没有它的整数内核',
  'its values are sensitive and it costs little: it stays in float': '它的值敏感而开销很小：保留浮点',
  'it does not work on real numbers': '它不处理实数',
  'it is quantized already': '它已经量化',
  'its subgraphs stay as they are': '它的子图保持不变',
  'only dynamic quantization has an integer kernel for it': '只有动态量化有它的整数内核',
  'operators of the domain "{domain}" stay as they are': '“{domain}”域的算子保持不变',
  'it is unknown to Alambic': 'Alambic 不认识它',
  'it multiplies two computed values: there is no constant float32 weight':
    '它相乘的是两个算出的值：没有常量 float32 权重',
  'the model is quantized already ({found}); nothing is left in float.': '模型已经量化（{found}）；没有剩下浮点部分。',
  'the model is quantized already ({found}); {n} layers are left in float. Set rest: true to quantize those.':
    '模型已经量化（{found}）；还有 {n} 层是浮点。设置 rest: true 可量化它们。',
  // Factorization.
  'its weight is shared by {n} readers': '它的权重被 {n} 个节点共用',
  "{op} can't be written as a product": '{op} 不能写成乘积',
  'it is depthwise: each filter has one channel': '它是逐通道卷积：每个滤波器只有一个通道',
  'its weight is the left operand': '它的权重是左操作数',
  'its weight has {n} axes': '它的权重有 {n} 个轴',
  // Gradients.
  'it picks one class: its derivative is zero almost everywhere': '它选取一个类别：其导数几乎处处为零',
  'it is piecewise constant: its derivative is zero almost everywhere': '它分段恒定：其导数几乎处处为零',
  'its output is boolean': '它的输出是布尔值',
  'it works on integers': '它处理整数',
  'it reinterprets bits': '它重新解释比特',
  'it was replaced by ScatterElements in opset 11; upgrade the model':
    '它在 opset 11 被 ScatterElements 取代；请升级模型',
  'it was replaced by Resize in opset 10; upgrade the model': '它在 opset 10 被 Resize 取代；请升级模型',
  'it updates a cache in place': '它就地更新缓存',
  'the size of its output depends on values': '其输出的大小取决于数值',
  'its output is indices': '它的输出是下标',
  'its input is indices': '它的输入是下标',
  'its output is an index': '它的输出是下标',
  'it was not replaced by its mask before differentiation': '求导前它没有被其掩码取代',
  'it was not decomposed before differentiation': '求导前它没有被分解',
  'unpooling by indices': '按下标反池化',
  'pooling over regions of interest': '感兴趣区域池化',
  'its output describes shapes, not values': '它的输出描述形状而非数值',
  'cropping to a computed size': '裁剪到算出的大小',
  'it is a constant': '它是常量',
  'control flow': '控制流',
  'control flow that holds all {n} weights': '包含全部 {n} 个权重的控制流',
  'control flow that holds all {n} weights; "{name}" decides which runs':
    '包含全部 {n} 个权重的控制流；由“{name}”决定走哪条分支',
  'it works on sequences or optional values': '它处理序列或可选值',
  'it computes with integers: its output is integer, and a rounded value has no gradient':
    '它用整数计算：输出是整数，取整的值没有梯度',
  'it rounds activations to integers: train the float model that this one was made from':
    '它把激活舍入为整数：请训练得到此模型的浮点模型',
  'it makes random values': '它产生随机值',
  'it makes a table from sizes, not from values': '它由大小而非数值生成表',
  'signal processing': '信号处理',
  'attention with a cache, windows or more than one output': '带缓存、窗口或多个输出的注意力',
  'attention as one operator': '作为单个算子的注意力',
  'the model brings its own loss; remove it, Alambic adds one': '模型自带损失；请去掉它，Alambic 会添加一个',
  'its input is integer, computed from activations': '它的输入是由激活算出的整数',
  'column to image': '列转图像',
  'cumulative products': '累积乘积',
  'deformable convolution': '可变形卷积',
  'sampling at computed positions': '在算出的位置采样',
  'it decodes image files': '它解码图像文件',
  'it is there to stop gradients': '它就是用来阻断梯度的',
  'attention with a cache, as decoders use it when they generate': '带缓存的注意力，解码器生成时使用',
  'its weights are packed in 4 bits in a form that only onnxruntime reads':
    '其权重以只有 onnxruntime 能读的 4 位形式打包',
  'a channels-last form that onnxruntime writes for one machine: use the model it came from':
    'onnxruntime 为某台机器写出的通道在后形式：请用原来的模型',
  'it picks experts by their scores': '它按得分选择专家',
  'an operator of onnxruntime that Alambic does not write with standard ones yet':
    'Alambic 尚不能用标准算子写出的 onnxruntime 算子',
  'a dropout of a training graph': '训练图中的 Dropout',
  'matrix inverses': '矩阵求逆',
  'an operator unknown to Alambic': 'Alambic 不认识的算子',
  'an operator of the domain "{domain}"': '“{domain}”域的算子',
  // The steps' looks at a model before they run.
  'no gradient goes through {nodes}': '梯度无法通过：{nodes}',
  'samples go to the input "{name}", and nothing feeds {others}: make constants of them (alambic specialize --input name=number)':
    '样本输入到“{name}”，而 {others} 没有输入：请把它们变成常量（alambic specialize --input name=number）',
  'The model is quantized ({node}): prune the float model, then quantize what is left.':
    '模型已量化（{node}）：请先剪枝浮点模型，再量化剩下的部分。',
  'Nothing of this model can be pruned: it has no layer with channels.': '此模型没有可剪的部分：没有带通道的层。',
  'Nothing of this model can be pruned: {why}.': '此模型没有可剪的部分：{why}。',
  'the layers are inside {node}, which decides while it runs': '各层在 {node} 之内，运行时才决定走哪条分支',
}

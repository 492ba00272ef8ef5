import { words, type MethodPage } from './words.ts'

const trainingFields = ['epochs', 'batch', 'lr']

export const training = {
  train: {
    title: words('Train', '训练'),
    help: words(
      'Trains all weights with cross-entropy on labelled samples.',
      '用带标签的样本，以交叉熵损失训练全部权重。',
    ),
    does: words(
      'The graph is differentiated, and forward pass, loss, backward pass and optimizer become one ONNX graph that runs for each batch. The weights with the best validation accuracy are kept.',
      '对计算图求导，前向、损失、反向和优化器合成一个 ONNX 图，每个批次运行一次。保留验证准确率最高的那组权重。',
    ),
    helps: [
      words(
        'The network is new, or its weights are of no use for this data.',
        '网络是新建的，或已有权重不适合这些数据。',
      ),
      words('You need a teacher or a baseline for what follows.', '后续步骤需要一个教师模型或基线。'),
    ],
    not: [
      words(
        'The model is trained already: fine-tune it instead, or you lose what it knows.',
        '模型已经训练好：请改用微调，否则会丢失已学到的内容。',
      ),
      words('There are no labels: distil from a teacher.', '没有标签：请从教师模型蒸馏。'),
    ],
    picture: words('The loss falls over the epochs while accuracy rises.', '损失随轮次下降，准确率上升。'),
    simple: trainingFields,
    layers: 'parameterRules',
  },
  finetune: {
    title: words('Fine-tune', '微调'),
    help: words(
      'Goes on training a trained model gently, at a tenth of the usual learning rate.',
      '以通常学习率的十分之一继续训练已训练好的模型。',
    ),
    does: words(
      'The same training, from the weights that are there, with a small learning rate. It is what brings accuracy back after channels were cut or layers were factorized.',
      '从现有权重出发、以较小学习率进行同样的训练。剪去通道或分解层之后，用它恢复准确率。',
    ),
    helps: [
      words(
        'After pruning or factorizing: most of what was lost comes back in few epochs.',
        '剪枝或分解之后：少量轮次即可恢复大部分损失。',
      ),
    ],
    not: [
      words(
        'After single weights were set to zero: it lets them grow again.',
        '单个权重置零之后：它们会重新变为非零。',
      ),
      words(
        'After quantizing: train quantized instead, before the weights are integers.',
        '量化之后：请在权重变成整数之前改用量化感知训练。',
      ),
    ],
    picture: words('Accuracy drops at a cut and climbs back while fine-tuning.', '准确率在剪枝处下降，微调时回升。'),
    simple: trainingFields,
    layers: 'parameterRules',
  },
  'insert-batchnorm': {
    title: words('Insert batch normalization', '插入批归一化'),
    help: words(
      'Gives a model whose batch normalizations were folded away new ones behind every convolution, with γ and β from data so that the function stays what it is.',
      '为已折叠掉批归一化的模型在每个卷积之后重新加入批归一化，其 γ 和 β 由数据得出，函数保持不变。',
    ),
    does: words(
      'Exporters fold batch normalization into convolutions. Here mean and variance of every channel are measured on samples, and a normalization with exactly inverse γ and β is put behind: the outputs are the same as before, but the net can be trained and slimmed again.',
      '导出器会把批归一化折叠进卷积。这里先用样本测量每个通道的均值和方差，再加入 γ、β 恰好相反的归一化：输出与之前相同，但网络又可以训练和瘦身了。',
    ),
    helps: [
      words(
        'An exported model is to be trained on, or slimmed by its scales.',
        '要继续训练导出的模型，或按缩放系数瘦身。',
      ),
    ],
    not: [
      words(
        'The model has its batch normalizations still: nothing is inserted.',
        '模型仍带有批归一化：不会插入任何内容。',
      ),
      words('The model goes to int8 next: they are folded again.', '接下来就要量化为 int8：它们会再次被折叠。'),
    ],
    picture: words('A normalization is put between a convolution and its activation.', '在卷积与激活之间加入归一化。'),
    simple: ['samples'],
  },
} as const satisfies Readonly<Record<string, MethodPage>>

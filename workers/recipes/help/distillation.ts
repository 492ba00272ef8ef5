import { words, type MethodPage } from './words.ts'

export const distillation = {
  distil: {
    title: words('Distil', '蒸馏'),
    help: words(
      'Trains a student to follow a teacher: what it puts out, what it computes inside, or how it relates samples.',
      '训练学生网络跟随教师：跟随其输出、内部计算，或样本之间的关系。',
    ),
    does: words(
      'Teacher and student see the same batches. The student is drawn towards the teacher’s softened probabilities (T² times the Kullback–Leibler divergence), and, with more terms, towards its features, attention or relations between samples. Both are one graph, joined by the loss; only the student is kept.',
      '教师和学生处理相同的批次。学生被拉向教师软化后的概率（T² 倍 KL 散度），也可加上特征、注意力或样本间关系等损失项。两者合成一个图，由损失连接；最后只保留学生。',
    ),
    helps: [
      words('There is a good large model, and a small one is wanted.', '已有一个好的大模型，需要一个小模型。'),
      words('Labels are few: what the teacher says is a target, too.', '标签很少：教师的输出也是学习目标。'),
      words('After a cut: the model as it was teaches what is left of it.', '剪枝之后：由原模型教导剩余部分。'),
    ],
    not: [
      words('The teacher is hardly better than the student trained alone.', '教师并不比单独训练的学生好多少。'),
      words(
        'The student is far too small for its teacher: use assistants between them.',
        '学生相对教师过小：请在两者之间使用助教。',
      ),
    ],
    corrections: [
      words(
        'The knowledge distillation tutorial’s gain from 70.33 % to 70.56 % is one run: it lies within the spread of seeds and proves nothing. Several seeds, with their spread, do.',
        '蒸馏教程中从 70.33 % 到 70.56 % 的提升只来自一次运行：在随机种子的波动范围之内，不能证明什么。需要多个种子及其离散程度。',
      ),
      words(
        'α only acts where it multiplies a term of the loss. Here it is the weight of the teacher’s terms, and cross-entropy gets 1 − α; the run’s report names both.',
        'α 只有乘在损失项上才起作用。这里它是教师项的权重，交叉熵得到 1 − α；运行报告会写明两者。',
      ),
      words(
        'SqueezeNet has about a fiftieth of AlexNet’s parameters, not a ninth: nine is what a filter saves when 3×3 becomes 1×1 (Iandola et al. 2016, arXiv:1602.07360).',
        'SqueezeNet 的参数约为 AlexNet 的五十分之一，而非九分之一：九倍只是 3×3 滤波器换成 1×1 时的节省（Iandola 等 2016，arXiv:1602.07360）。',
      ),
    ],
    picture: words('A large net’s soft answers guide a small one.', '大网络的软化输出引导小网络。'),
    simple: ['student', 'teacher', 'epochs', 'lr', 'temperature', 'alpha'],
  },
} as const satisfies Readonly<Record<string, MethodPage>>

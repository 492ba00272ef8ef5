import { words, type MethodPage } from './words.ts'

export const search = {
  optimize: {
    title: words('Search a recipe', '搜索配方'),
    help: words(
      'Tries recipes within a time and keeps the one that meets a target at the least loss of accuracy.',
      '在给定时间内试用多个配方，保留达到目标且精度损失最小的一个。',
    ),
    does: words(
      'First every technique is applied to every layer alone, without training: the map of what costs how much accuracy. Then recipes that should meet the target are run and measured. The better ones go on to longer training, round by round, until the time is over. Everything that was tried is kept, and what no other trial beats in cost and accuracy is the answer.',
      '先在不训练的情况下把每种技术单独用于每一层，得到各处精度代价的图。再运行并实测应能达到目标的配方。较好的逐轮进入更长的训练，直到时间用完。所有试验都保留，在成本与精度上没有被超过的就是答案。',
    ),
    helps: [
      words(
        'There is a limit to keep to, and no idea which method keeps to it best.',
        '有必须遵守的限制，但不知道哪种方法最合适。',
      ),
      words(
        'The limit is milliseconds on this machine: every trial is timed.',
        '限制是本机上的毫秒数：每次试验都计时。',
      ),
    ],
    not: [
      words(
        'The method is known already: its own recipe trains longer in the same time.',
        '方法已经确定：同样的时间里，单独的配方可以训练更久。',
      ),
      words('Samples have no labels: there is nothing to compare recipes by.', '样本没有标签：无法比较各个配方。'),
    ],
    corrections: [
      words(
        'Fewer multiply-accumulates are not a shorter time by themselves: a target of latency is measured, never computed.',
        '乘加次数更少并不等于更快：延迟目标靠实测，而不是计算。',
      ),
    ],
    picture: words(
      'Many trials; a line joins those that no other one beats.',
      '许多试验；一条线连接没有被超过的那些。',
    ),
    simple: ['target', 'maxDrop', 'seconds'],
  },
} as const satisfies Readonly<Record<string, MethodPage>>

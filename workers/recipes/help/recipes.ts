/** Titles of the built-in recipes in Chinese, by name; the English ones are in their files. */
export const recipeTitles: Readonly<Record<string, string>> = {
  'deep-compression': '剪枝、共享与霍夫曼编码（Han、Mao 与 Dally 2016）',
  everything: '剪枝、蒸馏、分解、微调、量化、打包',
  'kd-tutorial': '知识蒸馏教程',
  'kd-tutorial-cosine': '知识蒸馏教程：特征余弦',
  'kd-tutorial-regressor': '知识蒸馏教程：特征回归',
  'low-rank-int8': '低秩分解，再静态 int8',
  'mobile-int8': '静态 int8，损失不超过百分之一',
  search: '搜索延迟减半的配方',
  'thin-and-distil': '通道减半，由完整网络教导',
}

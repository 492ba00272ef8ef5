/**
 * What is wrong with a recipe or with an export, in Simplified Chinese, by the English sentence: `workers/recipes/issues.ts`
 * and `order.ts`, `workers/jobs/export`, and the messages of the schemas (zod). `{…}` stands for what differs.
 */
export const chineseProblems: Readonly<Record<string, string>> = {
  // Schemas.
  'Invalid input: expected {wanted}, received {found}': '输入无效：应为 {wanted}，实为 {found}',
  'Invalid input: expected {wanted}': '输入无效：应为 {wanted}',
  'Invalid input': '输入无效',
  'Invalid option: expected one of {options}': '选项无效：应为 {options} 之一',
  'Unrecognized key: {key}': '不认识的键：{key}',
  'Unrecognized keys: {keys}': '不认识的键：{keys}',
  'Too small: expected number to be {limit}': '太小：数值应 {limit}',
  'Too big: expected number to be {limit}': '太大：数值应 {limit}',
  'Too small: expected {what} to have {limit} {unit}': '太少：{what} 应有 {limit} {unit}',
  'Too big: expected {what} to have {limit} {unit}': '太多：{what} 应有 {limit} {unit}',
  // Recipes.
  'there is no step "{step}"': '没有步骤“{step}”',
  'the step trains, and the data has no training samples': '此步骤要训练，而数据没有训练样本',
  'only {n} training samples are there': '只有 {n} 个训练样本',
  'the batch is larger than the {n} samples': '批大于 {n} 个样本',
  'no layer of the model is called "{name}"': '模型中没有名为“{name}”的层',
  'after step {n}: {why}': '在第 {n} 步之后：{why}',
  'the thin layers between the factors carry everything that is left of a layer: cut channels first, then factorize what remains':
    '因子之间的薄层承载着该层剩下的全部信息：请先剪通道，再分解剩余部分',
  'zeros of single weights are lost when channels go or weights are written as products: prune single weights afterwards':
    '剪掉通道或把权重写成乘积时，单个权重的零会丢失：请之后再剪单个权重',
  'training lets the zeros grow again: train before, or within prune-retrain, which holds them':
    '训练会让零重新长出：请在之前训练，或在保持零的 prune-retrain 中训练',
  'weights that share a value are trained or cut apart again: share them last, cluster fine-tunes them itself':
    '共享一个值的权重会再次被训练或剪散：请最后共享，cluster 会自行微调',
  'weights are integers by then: do it while they are float': '那时权重已是整数：请在浮点时做',
  'shared values and int8 are alternatives: 8-bit steps of their own make few shared values into other ones':
    '共享值与 int8 只能二选一：int8 自己的步长会把少数共享值变成别的值',
  'shared values and int8 are alternatives: integer weights are on a grid already':
    '共享值与 int8 只能二选一：整数权重已在网格上',
  'the container holds the model as it was when it was packed: pack last': '容器保存打包时的模型：请最后打包',
  // Exports.
  'outputs differ by up to {error}; {limit} is allowed': '输出最多相差 {error}；允许 {limit}',
  "only {share} % of the answers are the source's; {least} % is the least":
    '只有 {share}% 的答案与源模型相同；至少应有 {least}%',
  'accuracy fell by {drop} pp': '准确率下降了 {drop} 个百分点',
  'kept in float32: {ops}': '保留为 float32：{ops}',
  'the model has these pairs already: it was written as it is': '模型已有这些成对的节点：按原样写出',
  '{n} elements of "{name}" are beyond ±{limit} and were clamped': '“{name}”有 {n} 个元素超出 ±{limit}，已被截断',
  '{n} elements of "{name}" are too small for float16 and became zero':
    '“{name}”有 {n} 个元素对 float16 而言太小，变成了零',
  // Costs.
  'the size "{name}" is open; give it a number': '大小“{name}”未定；请给出数值',
}

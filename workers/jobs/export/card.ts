import type { Preprocessing } from '../../datasets/index.ts'
import type { ExportFormat } from '../../protocol/worker.ts'
import type { Verification } from '../../protocol/studio.ts'

/** What a model card says, apart from its words. */
export interface CardFacts {
  readonly name: string
  readonly format: ExportFormat
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly params: number
  readonly macs: number | undefined
  readonly opset: number
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly preprocessing: Preprocessing | undefined
  readonly classes: readonly string[] | undefined
  readonly origin: Readonly<Record<string, string>>
  readonly latency:
    { readonly medianMs: number; readonly p95Ms: number; readonly n: number; readonly threads: number } | undefined
  readonly processor: string
  readonly verification: Verification
  readonly date: string
}

export const cardLanguages = ['en', 'zh-CN'] as const
export type CardLanguage = (typeof cardLanguages)[number]

const english = {
  made: (date: string) =>
    `Written by Alambic on ${date}. Numbers are measured on the file named here, none is estimated.`,
  file: 'File',
  format: 'Format',
  size: 'Size',
  opset: 'Opset',
  parameters: 'Parameters',
  macs: 'Multiply-accumulates (one sample)',
  use: 'Input and output',
  input: 'Input',
  output: 'Output',
  preprocessing: 'Preprocessing',
  unknownPreprocessing: 'not known: feed it as it was trained',
  classes: 'Classes',
  origin: 'Where it comes from',
  quality: 'Quality',
  accuracy: 'Accuracy',
  samples: (n: number) => `${n} test samples`,
  sourceAccuracy: 'Accuracy of the model it was exported from',
  notMeasured: 'Not measured: no labelled data was given.',
  latency: 'Latency',
  latencyText: (median: string, p95: string, n: number, threads: number) =>
    `${median} ms median, ${p95} ms at the 95th percentile; ${n} runs, batch 1, ${threads} threads`,
  verified: 'Verification',
  verifiedText: (samples: number, source: string) =>
    `The file was read back from the disk and run on ${samples} ${source}; its outputs were compared with those of the model it was exported from.`,
  data: 'samples of the test split',
  random: 'random inputs',
  error: 'Largest and mean difference of an output',
  largest: 'Largest output',
  agreement: 'Same answer',
  passed: 'Result',
  yes: 'passed',
  no: 'NOT passed',
  limits: 'Limits',
  limitsText:
    'The model knows what its training data showed it. Measure it on data of your own before you rely on it; compression can cost accuracy on rare classes more than on the average.',
}

const chinese: typeof english = {
  made: (date) => `由 Alambic 于 ${date} 写出。所有数字均在此文件上实测，无一为估计。`,
  file: '文件',
  format: '格式',
  size: '大小',
  opset: '算子集版本',
  parameters: '参数',
  macs: '乘加次数（单个样本）',
  use: '输入与输出',
  input: '输入',
  output: '输出',
  preprocessing: '预处理',
  unknownPreprocessing: '未知：请按训练时的方式输入',
  classes: '类别',
  origin: '来源',
  quality: '质量',
  accuracy: '准确率',
  samples: (n) => `${n} 个测试样本`,
  sourceAccuracy: '导出前模型的准确率',
  notMeasured: '未测量：没有给出带标签的数据。',
  latency: '延迟',
  latencyText: (median, p95, n, threads) =>
    `中位数 ${median} ms，95 分位 ${p95} ms；运行 ${n} 次，批量 1，${threads} 线程`,
  verified: '校验',
  verifiedText: (samples, source) =>
    `文件已从磁盘重新读取，在 ${samples} 个${source}上运行，并与导出前模型的输出比较。`,
  data: '测试集样本',
  random: '随机输入',
  error: '输出的最大与平均差异',
  largest: '最大输出',
  agreement: '答案一致',
  passed: '结果',
  yes: '通过',
  no: '未通过',
  limits: '局限',
  limitsText:
    '模型只了解训练数据所展示的内容。使用前请在您自己的数据上测量；压缩对稀有类别准确率的影响可能大于平均值。',
}

const words: Readonly<Record<CardLanguage, typeof english>> = { en: english, 'zh-CN': chinese }

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
const precise = (value: number): string => (value === 0 ? '0' : value.toPrecision(3))

/** Text in a table's cell: what has a meaning there is taken literally. */
const cell = (text: string): string => text.replaceAll(/[\\|`*_<>[\]]/g, (mark) => `\\${mark}`).replaceAll(/\s+/g, ' ')

const table = (rows: readonly (readonly [string, string])[]): string[] => [
  '| | |',
  '| --- | --- |',
  ...rows.map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`),
]

/** A model card in Markdown (Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv:1810.03993). */
export function modelCard(facts: CardFacts, language: CardLanguage): string {
  const w = words[language]
  const { verification: v, latency } = facts
  const quality: (readonly [string, string])[] = v.accuracy
    ? [
        [
          w.accuracy,
          `${percent(v.accuracy.exported)} (${w.samples(v.accuracy.n)}, ${v.data ?? ''}, SHA-256 ${(v.dataHash ?? '').slice(0, 12)})`,
        ],
        [w.sourceAccuracy, percent(v.accuracy.source)],
      ]
    : [[w.accuracy, w.notMeasured]]
  const speed = latency
    ? ([
        [
          w.latency,
          `${w.latencyText(precise(latency.medianMs), precise(latency.p95Ms), latency.n, latency.threads)}; ${facts.processor}; ${v.runtime}`,
        ],
      ] as const)
    : []
  const input = [
    ...facts.inputs.map((text) => [w.input, text] as const),
    ...facts.outputs.map((text) => [w.output, text] as const),
    [w.preprocessing, facts.preprocessing ? JSON.stringify(facts.preprocessing) : w.unknownPreprocessing] as const,
    ...(facts.classes ? [[w.classes, facts.classes.slice(0, 1000).join(', ')] as const] : []),
  ]
  const lines = [
    `# ${cell(facts.name)}`,
    '',
    w.made(facts.date),
    '',
    ...table([
      [w.file, facts.file],
      [w.format, facts.format],
      [w.size, `${facts.bytes} B`],
      ['SHA-256', facts.sha256],
      [w.opset, String(facts.opset)],
      [w.parameters, String(facts.params)],
      ...(facts.macs === undefined ? [] : [[w.macs, String(facts.macs)] as const]),
    ]),
    ...section(w.use, input),
    ...(Object.keys(facts.origin).length > 0 ? section(w.origin, Object.entries(facts.origin)) : []),
    ...section(w.quality, [...quality, ...speed]),
    '',
    `## ${w.verified}`,
    '',
    w.verifiedText(v.samples, w[v.inputs]),
    '',
    ...table([
      [w.error, `${precise(v.maxError)}, ${precise(v.meanError)}`],
      [w.largest, precise(v.largestOutput)],
      ...(v.agreement === undefined ? [] : [[w.agreement, percent(v.agreement)] as const]),
      [w.passed, v.passed ? w.yes : w.no],
    ]),
    '',
    `## ${w.limits}`,
    '',
    w.limitsText,
    '',
  ]
  return lines.join('\n')
}

const section = (title: string, rows: readonly (readonly [string, string])[]): string[] => [
  '',
  `## ${title}`,
  '',
  ...table(rows),
]

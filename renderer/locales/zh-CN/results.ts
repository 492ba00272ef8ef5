import type { results as english } from '../en/results.ts'
import type { Phrases } from '../phrases.ts'

export const results: Phrases<typeof english> = {
  results: {
    inspectInput: '查看输入模型',
    inspect: '查看此模型',
    compare: '比较',
    step: '第 {n} 步：{title}',
    state: { done: '已完成', now: '进行中', waiting: '等待中', ended: '未到达' },
    waiting: '此步骤尚未开始。',
    going: '此步骤正在进行。完成后，其测量结果会显示在这里。',
    ended: '运行在此步骤报告任何内容之前已结束。',
    noComponent: '此步骤没有可绘制的报告；“配置”标签页中有其完整报告。',
    badReport: '无法显示此步骤的报告',
    badReportText: '运行文件夹中的内容与此版本 Alambic 为该步骤所写的不符：{where}。',
    badReportFix: '“配置”标签页原样显示该报告。再次运行即可得到此版本格式的报告。',
    notMeasured: '运行测量其输入并完成此步骤后，才有成本数据。',
    cost: {
      caption: '“{step}”前后的成本',
      what: '成本',
      before: '之前',
      after: '之后',
      change: '变化',
      params: '参数',
      macs: '乘加运算 MACs',
      bytes: '磁盘大小',
      packedBytes: '打包大小',
      latency: '延迟中位数',
      accuracy: '准确率',
      same: '相同',
      unclear: '≈ {change}，在误差之内',
      lost: '{change}，变差',
      won: '{change}，变好',
    },
    prune: {
      channels: '各组的通道数，之前与之后',
      group: '组',
    },
    table: {
      csv: '{title}的 CSV',
      more: '前 {n} 行，共 {of} 行；CSV 含全部。',
    },
  },
}

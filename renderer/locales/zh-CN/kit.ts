import type { kit as english } from '../en/kit.ts'
import type { Phrases } from '../phrases.ts'

export const kit: Phrases<typeof english> = {
  kit: {
    save: '另存为 {kind}',
    saveOf: '{title}的 {kind}',
    hint: '方向键在各值之间移动，回车键选中。',
    name: '名称',
    point: '{name}：{x}，{y}',
    front: '位置',
    onFront: '无可超越',
    sweet: '最佳点',
    noLimit: '不限',
    limit: '{name}的限制',
    scatterSummary: '{title}：{n} 个点。{best}',
    noBest: '没有一个满足限制。',
    notJudged: '不选最佳：各点无法公平比较。',
    bar: '{label}：{values}',
    barSummary: '{title}：{n} 行，{series}。',
    bin: '{from} 至 {to}：{counts}',
    count: '数量',
    from: '从',
    to: '至',
    histogramSummary: '{title}：{n} 个值，从 {from} 到 {to}。',
    corner: '{row}，对照{column}',
    trendSummary: '{title}：{lines}。',
    trendLine: '{name} 从 {first} 到 {last}',
    parallelSummary: '{title}：{n} 条线，跨越 {axes}。',
  },
}

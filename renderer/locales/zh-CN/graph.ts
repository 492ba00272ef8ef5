import type { graph as english } from '../en/graph.ts'
import type { Phrases } from '../phrases.ts'

export const graph: Phrases<typeof english> = {
  graph: {
    nodes: '{n} 个节点',
    search: '查找节点',
    found: '找到 {n} 个',
    foundAt: '第 {at} 个，共 {n} 个',
    zoomIn: '放大',
    zoomOut: '缩小',
    fit: '适合窗口',
    openAll: '全部展开',
    closeAll: '全部折叠',
    save: '将图保存为 {format}',
    open: '已展开',
    closed: '已折叠',
    layingOut: '正在排布……',
    failed: '无法排布此图：{why}',
    summary: '{title}：{nodes}，画成 {boxes} 个方框',
    keys: '方向键在方框间移动，Enter 展开或折叠一组，Backspace 折叠所在的组，加号和减号缩放，0 显示全部，Shift 加方向键移动视图。层表列出同样的内容。',
  },
}

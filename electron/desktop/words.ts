import type { Notice } from '../../workers/protocol/studio.ts'
import type { Language } from '../host/language.ts'

/** What is said outside the window, which has its own phrases. */
export const menuWords: Readonly<Record<Language, { readonly open: string; readonly show: string }>> = {
  en: { open: 'Open…', show: 'Show Alambic' },
  'zh-CN': { open: '打开…', show: '显示 Alambic' },
}

type Words = Readonly<Record<Exclude<Notice['code'], 'open-path'>, string>>

const notices: Readonly<Record<Language, Words>> = {
  en: {
    'run-succeeded': 'The run has finished.',
    'run-stopped': 'The run was stopped; the best was kept.',
    'run-failed': 'The run has failed.',
    'run-not-finite': 'The run was paused: a value is no longer finite.',
    'run-crashed': 'The process of the run ended unexpectedly.',
    'run-crash-loop': 'The run ended twice at the same step and is not resumed by itself.',
    'run-resumed': 'The run goes on.',
    'disk-low': 'The disk is nearly full: runs are paused.',
    'disk-recovered': 'There is room on the disk again.',
  },
  'zh-CN': {
    'run-succeeded': '运行已完成。',
    'run-stopped': '运行已停止；已保留最佳结果。',
    'run-failed': '运行失败。',
    'run-not-finite': '运行已暂停：出现了非有限的数值。',
    'run-crashed': '运行的进程意外结束。',
    'run-crash-loop': '运行在同一步结束了两次，不再自动继续。',
    'run-resumed': '运行继续进行。',
    'disk-low': '磁盘空间即将用尽：运行已暂停。',
    'disk-recovered': '磁盘又有空间了。',
  },
}

/** What the system's notification says; undefined for what is not worth one. */
export const noticeText = ({ code }: Notice, language: Language): string | undefined =>
  code === 'open-path' ? undefined : notices[language][code]

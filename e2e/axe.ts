import AxeBuilder from '@axe-core/playwright'
import { expect, type Page } from '@playwright/test'

/** Both themes in both languages. */
export const looks = [
  ['light', 'en'],
  ['dark', 'en'],
  ['light', 'zh-CN'],
  ['dark', 'zh-CN'],
] as const
export type Look = (typeof looks)[number]

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** The rules of WCAG 2.2 AA that the page breaks, with the elements that do; `place` comes before each. */
export async function violations(page: Page, place = ''): Promise<readonly string[]> {
  const found = await new AxeBuilder({ page }).withTags(rules).analyze()
  return found.violations.map(
    ({ id, nodes }) => `${place && `${place}: `}${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`,
  )
}

/** Sets theme and language; the settings must be in view, and stay there. */
export async function setLook(page: Page, [theme, language]: Look): Promise<void> {
  await page.locator('#set-language').selectOption(language)
  await page.locator('#set-theme').selectOption(theme)
  await expect(page.locator('html')).toHaveAttribute('lang', language)
}

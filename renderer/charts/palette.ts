import { onScopeDispose, ref, type Ref } from 'vue'

/** Colours as a canvas needs them: `light-dark()` and variables resolved. */
export interface Colours {
  readonly series: readonly string[]
  readonly line: string
  readonly strong: string
  readonly text: string
  readonly surface: string
  readonly font: string
}

export const SERIES = 6

function resolve(): Colours {
  const probe = document.createElement('span')
  document.body.append(probe)
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const colours: Colours = {
    series: Array.from({ length: SERIES }, (_, i) => colour(`s${i + 1}`)),
    line: colour('line'),
    strong: colour('line-strong'),
    text: colour('faint'),
    surface: colour('surface'),
    font: `11px ${getComputedStyle(document.documentElement).getPropertyValue('--font')}`,
  }
  probe.remove()
  return colours
}

/** The colours of the theme at hand; follows the system and the person's choice. */
export function useColours(): Ref<Colours> {
  const colours = ref(resolve())
  const update = () => (colours.value = resolve())
  const media = window.matchMedia('(prefers-color-scheme: dark)')
  media.addEventListener('change', update)
  const observer = new MutationObserver(update)
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  onScopeDispose(() => {
    media.removeEventListener('change', update)
    observer.disconnect()
  })
  return colours
}

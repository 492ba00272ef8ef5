import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'

/** A token's colour as a canvas needs it: `light-dark()` and variables resolved. */
export type Colour = (token: string) => string

function read<T>(make: (colour: Colour) => T): T {
  const probe = document.createElement('span')
  document.body.append(probe)
  const made = make((token) => {
    probe.style.color = `var(--${token})`
    return getComputedStyle(probe).color
  })
  probe.remove()
  return made
}

/** The font of the screens, as a canvas needs it. */
export const fontFamily = (): string => getComputedStyle(document.documentElement).getPropertyValue('--font')

/** Colours of the theme at hand; made anew when the system's theme or the person's choice changes. */
export function useThemed<T>(make: (colour: Colour) => T): ShallowRef<T> {
  const themed = shallowRef(read(make))
  const update = () => (themed.value = read(make))
  const media = window.matchMedia('(prefers-color-scheme: dark)')
  media.addEventListener('change', update)
  const observer = new MutationObserver(update)
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  onScopeDispose(() => {
    media.removeEventListener('change', update)
    observer.disconnect()
  })
  return themed
}

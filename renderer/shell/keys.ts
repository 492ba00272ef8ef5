/** Keys as text: `Mod+Shift+Z`, `F6`, `?`. `Mod` is Ctrl, and ⌘ on a Mac. */

const modifiers = new Set(['Control', 'Shift', 'Alt', 'Meta', 'AltGraph'])

/** The part of a keyboard event that tells which keys they are. */
export type KeyPress = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>

/** What was pressed; undefined for a modifier alone. */
export function keysOf(event: KeyPress, mac: boolean): string | undefined {
  if (modifiers.has(event.key)) return undefined
  const key = event.key === ' ' ? 'Space' : event.key.length === 1 ? event.key.toUpperCase() : event.key
  // A sign that needs Shift says so by itself: `?`, not `Shift+?`. Letters and digits do not.
  const shift = event.shiftKey && (key.length > 1 || /[A-Z0-9]/.test(key))
  const parts = [
    (mac ? event.metaKey : event.ctrlKey) && 'Mod',
    mac && event.ctrlKey && 'Ctrl',
    event.altKey && 'Alt',
    shift && 'Shift',
    key,
  ]
  return parts.filter((part) => part !== false).join('+')
}

const macSigns: Readonly<Record<string, string>> = { Mod: '⌘', Ctrl: '⌃', Alt: '⌥', Shift: '⇧' }

/** Keys as they are shown: `Ctrl K`, `⌘ K`. */
export const showKeys = (keys: string, mac: boolean): string =>
  keys
    .split(/\+(?=.)/)
    .map((part) => (mac ? (macSigns[part] ?? part) : part === 'Mod' ? 'Ctrl' : part))
    .join(' ')

/** Whether keys may be taken while somebody types into a field: only with a modifier, and not what fields do themselves. */
export const worksWhileTyping = (keys: string): boolean =>
  /^F\d+$/.test(keys) || (keys.includes('Mod+') && !/^Mod\+(Shift\+)?[ZYAXCV]$/.test(keys))

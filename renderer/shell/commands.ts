import { computed, onScopeDispose, shallowRef, triggerRef } from 'vue'
import { useSettings } from '../stores/settings.ts'
import { commandIds, commandTable, type CommandEntry, type CommandId } from './command-table.ts'
import { keysOf, worksWhileTyping } from './keys.ts'

export type Actions = { readonly [Id in CommandId]?: () => void }

export const isMac = /mac/i.test(navigator.platform)

/** What can be done now: the newest that offers a command does it. A screen's commands end with the screen. */
const offered = shallowRef<readonly Actions[]>([])

/** Offers commands for as long as the component lives. */
export function useCommands(actions: Actions): void {
  offered.value = [...offered.value, actions]
  onScopeDispose(() => {
    offered.value = offered.value.filter((other) => other !== actions)
    triggerRef(offered)
  })
}

const actionOf = (id: CommandId): (() => void) | undefined =>
  offered.value.findLast((actions) => actions[id] !== undefined)?.[id]

/** The commands that can be done now, and their keys as the person has set them. */
export function useCommandList() {
  const settings = useSettings()

  const keys = computed(() => {
    const { shortcuts } = settings.settings
    return new Map(
      commandIds.map((id): [CommandId, readonly string[]] => {
        const { keys: usual }: CommandEntry = commandTable[id]
        const own = shortcuts[id]
        return [id, own === undefined ? usual : own === '' ? [] : [own]]
      }),
    )
  })

  const available = computed(() => commandIds.filter((id) => actionOf(id) !== undefined))

  function run(id: CommandId): void {
    actionOf(id)?.()
  }

  return { keys, available, run }
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && !['checkbox', 'radio', 'range', 'button'].includes(target.type)))

/** Listens for the keys of all commands. While a dialog is open only what is in it has keys. */
export function useShortcuts(): void {
  const { keys, run } = useCommandList()
  const listen = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return
    const pressed = keysOf(event, isMac)
    if (pressed === undefined || (isTyping(event.target) && !worksWhileTyping(pressed))) return
    const found = [...keys.value].find(([id, own]) => own.includes(pressed) && actionOf(id))
    if (!found) return
    event.preventDefault()
    run(found[0])
  }
  window.addEventListener('keydown', listen)
  onScopeDispose(() => window.removeEventListener('keydown', listen))
}

/*
 * What crosses the border between the desktop shell and the process with the host. Windows talk to the host through the
 * shell, which hands their messages on as they are: one channel for each window.
 */

export type ToHost =
  | { readonly kind: 'open'; readonly channel: number }
  | { readonly kind: 'data'; readonly channel: number; readonly data: unknown }
  | { readonly kind: 'close'; readonly channel: number }
  /** Somebody opened a file with Alambic. */
  | { readonly kind: 'open-path'; readonly path: string }
  /** Let runs save, then end. */
  | { readonly kind: 'quit' }

export type FromHost =
  | { readonly kind: 'ready' }
  | { readonly kind: 'data'; readonly channel: number; readonly data: unknown }
  | { readonly kind: 'status'; readonly status: Status }
  /** For a notification of the system, in the person's language. */
  | { readonly kind: 'notice'; readonly title: string; readonly body: string }
  | { readonly kind: 'failed'; readonly message: string }

/** What tray, taskbar and power saving show. */
export interface Status {
  /** Runs that go now, and those that wait. */
  readonly running: number
  readonly queued: number
  /** Of the first run that goes: its name, and how far its stage is, 0–1. */
  readonly title?: string
  readonly share?: number
}

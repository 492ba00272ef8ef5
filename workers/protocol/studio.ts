import type { z } from 'zod'
import type { Progress, RunEvent } from './worker.ts'
import type { Queue, StudioCall, studioCalls, StudioResults } from './studio/calls.ts'
import type { Settings, SystemStatus } from './studio/machine.ts'
import type { JobId, ProjectId, RunKey } from './studio/names.ts'
import type { Project } from './studio/project.ts'
import type { RunSummary } from './studio/run.ts'

export * from './studio/calls.ts'
export * from './studio/compare.ts'
export * from './studio/machine.ts'
export * from './studio/method.ts'
export * from './studio/names.ts'
export * from './studio/project.ts'
export * from './studio/recipe.ts'
export * from './studio/run.ts'
export * from './studio/sheet.ts'
export * from './studio/wire.ts'

/*
 * What crosses the border between a renderer (the studio's window) and the host: two interfaces, one per direction,
 * over birpc without time-outs. Typed arrays stay typed arrays. Errors arrive as `AlambicError`.
 *
 * In a browser:
 *   1. The page is opened as `http://127.0.0.1:<port>/#token=<secret>`; the fragment is never sent to a server.
 *   2. The page takes the token out of the address (`history.replaceState`) and posts it:
 *      `POST /session`, `content-type: application/json`, body `{"token": "<secret>"}` → 204 and a cookie
 *      (`SameSite=Strict; HttpOnly; Path=/`), or 401. A page with a cookie skips this: `GET /session` → 204 or 401.
 *   3. `WebSocket ws://127.0.0.1:<port>/rpc`, binary messages by `encodeMessage` and `decodeMessage`. Without the cookie,
 *      or from another origin, the upgrade is refused with 401 or 403.
 *   4. Files: `startUpload`, then for each file `PUT /upload/<upload>/<index>` with its bytes as the body → 204; a file
 *      that broke off is sent again from the start. `HEAD` of the same answers `x-received` in bytes. Then `scan` with
 *      `{ kind: 'upload', upload }`; `cancelJob(upload)` removes what came.
 *   5. `GET <download>` of a `Written` gives the file as an attachment.
 *
 * In the desktop shell `window.alambic` (see `DesktopBridge`) gives a MessagePort instead; the messages are the same
 * values, structured clones instead of bytes.
 */

/** What a renderer may ask of the host. One request object per call. */
export type StudioApi = {
  readonly [Name in StudioCall]: (request: z.input<(typeof studioCalls)[Name]>) => Promise<StudioResults[Name]>
}

/** How far a job of this renderer is: a scan, an import, a self-test. `total` is 0 while it is not known. */
export interface JobProgress {
  readonly job: JobId
  readonly activity: string
  readonly done: number
  readonly total: number
  readonly unit: 'files' | 'bytes' | 'items' | 'milliseconds'
}

export type StudioChange =
  /** Made or changed, here or on the disk. */
  | { readonly kind: 'project'; readonly project: Project }
  | { readonly kind: 'project-gone'; readonly project: ProjectId }
  /** The models, data sets or recipes of a project changed: read them again. */
  | { readonly kind: 'contents'; readonly project: ProjectId; readonly what: 'models' | 'datasets' | 'recipes' }
  | { readonly kind: 'run'; readonly run: RunSummary }
  | { readonly kind: 'run-gone'; readonly run: RunKey }
  | { readonly kind: 'progress'; readonly run: RunKey; readonly progress: Progress }
  /** Rows that are on disk now, by stream: ask for those that are not held yet. */
  | { readonly kind: 'rows'; readonly run: RunKey; readonly streams: Readonly<Record<string, number>> }
  | { readonly kind: 'run-event'; readonly run: RunKey; readonly event: RunEvent }
  | { readonly kind: 'log'; readonly run: RunKey; readonly lines: number }
  | { readonly kind: 'queue'; readonly queue: Queue }
  | { readonly kind: 'job'; readonly progress: JobProgress }
  | { readonly kind: 'settings'; readonly settings: Settings }
  | { readonly kind: 'system'; readonly status: SystemStatus }
  | { readonly kind: 'bin' }
  | { readonly kind: 'notice'; readonly notice: Notice }

/** Something a person should hear of, wherever they are. `code` is stable and what a renderer translates. */
export interface Notice {
  readonly code:
    | 'run-succeeded'
    | 'run-stopped'
    | 'run-failed'
    | 'run-not-finite'
    | 'run-crashed'
    | 'run-crash-loop'
    | 'run-resumed'
    | 'disk-low'
    | 'disk-recovered'
    | 'open-path'
  readonly level: 'info' | 'warning' | 'error'
  readonly run?: RunKey
  readonly title?: string
  readonly path?: string
  /** In English, for the log and for a code that a renderer does not know. */
  readonly message: string
}

/** A change with its number: one more than the change before it, for this host. */
export type StudioEvent = StudioChange & { readonly seq: number }

/** What the host tells a renderer. */
export interface StudioEvents {
  /**
   * What happened since the last call, at most once per 16 ms. Of progress, rows, log and system only the newest is
   * kept, so numbers can be missing among the ones that come; they never go back.
   */
  changes(events: readonly StudioEvent[]): void
}

/** What the preload of the desktop shell puts on `window.alambic`. */
export interface DesktopBridge {
  readonly shell: 'desktop'
  readonly platform: string
  /** Asks for a port to the host; it arrives as a `message` event of the window, `data === 'alambic:port'`. */
  connect(): void
  /** The real path of a dropped `File`; empty when it has none. */
  pathOf(file: unknown): string
  chooseToOpen(kind: 'model' | 'folder' | 'project'): Promise<readonly string[]>
  chooseToSave(name: string): Promise<string | undefined>
  reveal(path: string): void
  /** Goes on with a drag that began in the page as one of a file, to the desktop or another program. */
  drag?(path: string): void
}

import { AlambicError } from '../protocol/errors.ts'

/** Where a fault in data is, and what it is. `row` counts samples (or lines of a text file) from 0. */
export interface DataFault {
  readonly file: string
  readonly row?: number | undefined
  readonly expected?: string | undefined
  readonly found?: string | undefined
  readonly fix?: string | undefined
  readonly cause?: unknown
}

/** An error about data; its code is `data.` and the given word, its subject the file and, where there is one, the row. */
export function badData(code: string, sentence: string, fault: DataFault): AlambicError {
  const { file, row, ...details } = fault
  return new AlambicError(`data.${code}`, sentence, {
    ...details,
    subject: row === undefined ? file : `${file}, row ${row}`,
  })
}

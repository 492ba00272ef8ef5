import ELK from 'elkjs/lib/elk-api.js'
import worker from 'elkjs/lib/elk-worker.min.js?url'
import { elkEngine } from './elk.ts'

/** The layout engine in a thread of the browser. */
export const browserEngine = () =>
  elkEngine(
    () => new ELK({ workerFactory: () => new Worker(worker) }),
    (elk) => elk.terminateWorker(),
  )

import { AlambicError, type ErrorDetails } from '../../protocol/errors.ts'

interface Kind {
  readonly says: RegExp
  readonly code: string
  readonly message: string
  readonly fix: string
}

/** What onnxruntime and the drivers below it say when it is not the graph's fault, most specific first. */
const kinds: readonly Kind[] = [
  {
    says: /Failed to get a WebGPU adapter|No supported adapters|requestAdapter/i,
    code: 'device.none',
    message: 'there is no graphics processor that WebGPU can use here',
    fix: 'Install the driver of your graphics card, and on Linux the Vulkan loader (Debian: libvulkan1); or use --device cpu.',
  },
  {
    says: /device (was |is )?lost|lost the device|DEVICE_LOST|DXGI_ERROR_DEVICE_(REMOVED|RESET)/i,
    code: 'device.lost',
    message: 'the graphics processor was reset or taken away while it computed',
    fix: 'Resume the run: it goes on from its last checkpoint. If it happens again, update the driver or use --device cpu.',
  },
  {
    says: /Failed to allocate memory|OUT_OF_(DEVICE|HOST)_MEMORY|out of memory|bad_alloc|max buffer size limit|\[Invalid Buffer/i,
    code: 'device.out-of-memory',
    message: 'there is not enough memory for this computation',
    fix: 'Take a batch in parts (accumulate) or compute activations again (recompute): both are options of every step that trains. Or use a smaller --batch, or a device with more memory.',
  },
]

/** An error of onnxruntime as one of ours: a device that failed is told from a graph that it does not take. */
export function asOrtError(thrown: unknown, otherwise: (found: string) => AlambicError): AlambicError {
  if (thrown instanceof AlambicError) return thrown
  const found = thrown instanceof Error ? thrown.message.trim() : String(thrown)
  const kind = kinds.find(({ says }) => says.test(found))
  if (!kind) return otherwise(found)
  const details: ErrorDetails = { found: firstLine(found), fix: kind.fix, cause: thrown }
  return new AlambicError(kind.code, kind.message, details)
}

/** Without the place in somebody else's sources that native errors begin with. */
const firstLine = (text: string): string =>
  (text.split('\n')[0] ?? text).replace(/^.*?\/onnxruntime_src\/\S+ .*?(was false\.|\)) /, '')

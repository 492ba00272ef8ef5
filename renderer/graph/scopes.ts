/**
 * The scopes that a node's name tells of, outermost first, without its own part: exporters write
 * `/encoder/layer.0/attention/MatMul` (PyTorch), `model/conv1/Conv2D` (TensorFlow) or `layer1.0.conv1`.
 */
export function scopesOf(name: string): readonly string[] {
  const slashed = name.split('/').filter((part) => part !== '')
  if (slashed.length > 1 || name.includes('/')) return tidy(slashed.slice(0, -1))
  return name.split('.').slice(0, -1)
}

/** The end of a name: `attention/Softmax`, `dw.conv`. */
export function lastParts(name: string, count: number): string {
  const sign = name.includes('/') ? '/' : '.'
  return name.split(sign).filter(Boolean).slice(-count).join(sign)
}

/** `features/features.0/features.0.2` repeats what is around it: `features/0/2` says the same. */
function tidy(parts: readonly string[]): readonly string[] {
  return parts.map((part, i) => {
    const around = parts[i - 1]
    return around !== undefined && part.startsWith(`${around}.`) ? part.slice(around.length + 1) : part
  })
}

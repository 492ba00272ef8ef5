/** A checkpoint's name as the stage and the training step it stands for. */
export function pointOf(checkpoint: string): { readonly stage: number; readonly step: number } {
  const [stage, step] = checkpoint.split('/').map(Number)
  return { stage: stage ?? 0, step: step ?? 0 }
}

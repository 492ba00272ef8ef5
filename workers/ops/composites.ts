/**
 * The private domain of gradient operators that engines do best themselves. They live only in step graphs, never in
 * files: each executor lowers them (or, like the reference executor, computes them).
 *
 * | operator | inputs → outputs | attributes |
 * | --- | --- | --- |
 * | ConvInputGrad | dY, W, X → dX (X only for its shape) | Conv's |
 * | ConvFilterGrad | dY, X, W → dW (W only for its shape) | Conv's |
 * | ReluGrad | dY, Y → dX, dY where Y is above zero | |
 * | MaxPoolGrad | dY, X, Y → dX, to the maximum of each window; of equal ones any may get it, or a share | MaxPool's |
 * | AveragePoolGrad | dY, X → dX (X only for its shape) | AveragePool's |
 * | BatchNormTraining | X, scale, B, mean, var → Y, mean′, var′, batch mean, 1/√(batch var + ε) | epsilon, momentum |
 * | BatchNormGrad | dY, X, scale, batch mean, 1/√(batch var + ε) → dX, dScale, dB | |
 * | FakeQuant | X, scale (one, or one per index of `axis`) → s·clamp(rhe(X/s), quant_min, quant_max) | axis, quant_min, quant_max |
 * | LearnedQuant | the same, with a gradient for the scale too | axis, quant_min, quant_max, gradient_scale |
 * | StopGradient | X → X, with no gradient: a target that is computed by the net itself | |
 */
export const COMPOSITES = 'ai.alambic'

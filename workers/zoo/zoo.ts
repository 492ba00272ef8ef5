import { AlambicError } from '../protocol/errors.ts'
import { modelOf, type Graph, type Model } from '../graph/graph.ts'
import { lenet5, mlp, tutorialNet } from './lenet.ts'
import { mobilenetV1, mobilenetV2, mobilenetV3Large, mobilenetV3Small } from './mobilenet.ts'
import { scaled, type Plan, type ZooOptions } from './plan.ts'
import { resnet18, resnet50, resnetCifar, resnetCifarWidths, resnetWidths } from './resnet.ts'
import { shufflenetV1, shufflenetV2 } from './shufflenet.ts'
import { squeezenet10, squeezenet11, squeezenetCifar } from './squeezenet.ts'
import { alexnet, vgg16, vgg16Cifar, vgg19Cifar, vggStages, vggWidths } from './vgg.ts'

/** A net as the zoo lists it. `params` counts what is trained, `macs` the multiply-accumulates of one image. */
export interface ZooEntry<Id extends string = string> {
  readonly id: Id
  readonly title: string
  /** The paper or the code that the architecture and its initialization follow. */
  readonly source: string
  /** `[C, H, W]` of one image. */
  readonly input: readonly [number, number, number]
  readonly classes: number
  readonly params: number
  readonly macs: number
  /** The channels of its prunable layers: hidden layers in order; for ResNets, the inner width of every block. */
  readonly widths: readonly number[]
  /** The options that this net takes. */
  readonly options: readonly (keyof ZooOptions)[]
  /** The graph with fresh weights: input `input` f32 `[N, C, H, W]`, output `logits` f32 `[N, classes]`. */
  readonly build: (options?: ZooOptions) => Graph
}

type Row = Omit<ZooEntry, 'id' | 'options' | 'build' | 'widths'> & {
  readonly widths?: readonly number[]
  readonly shortcut?: boolean
  readonly architecture: (plan: Plan) => Graph
}

const mnist = { input: [1, 28, 28], classes: 10 } as const
const cifar = { input: [3, 32, 32], classes: 10 } as const
const imagenet = { input: [3, 224, 224], classes: 1000 } as const

const rows = {
  'lenet-300-100': {
    ...mnist,
    title: 'LeNet-300-100',
    source: 'LeCun et al. 1998, with ReLU and initialized as in Caffe (Han et al. 2015, arXiv:1506.02626)',
    params: 266_610,
    macs: 266_200,
    widths: [300, 100],
    architecture: mlp,
  },
  'lenet-5': {
    ...mnist,
    title: 'LeNet-5 (20-50-500-10)',
    source: "Caffe's examples/mnist/lenet.prototxt, after LeCun et al. 1998",
    params: 431_080,
    macs: 2_293_000,
    widths: [20, 50, 500],
    architecture: lenet5,
  },
  deepnn: {
    ...cifar,
    title: "DeepNN, the tutorial's teacher",
    source: "PyTorch's knowledge distillation tutorial",
    params: 1_186_986,
    macs: 94_245_888,
    widths: [128, 64, 64, 32, 512],
    architecture: tutorialNet([1, 3]),
  },
  lightnn: {
    ...cifar,
    title: "LightNN, the tutorial's student",
    source: "PyTorch's knowledge distillation tutorial",
    params: 267_738,
    macs: 1_296_896,
    widths: [16, 16, 256],
    architecture: tutorialNet([0, 1]),
  },
  'resnet-20': {
    ...cifar,
    title: 'ResNet-20 for CIFAR',
    source: 'He et al. 2016, arXiv:1512.03385, section 4.2',
    params: 269_722,
    macs: 40_551_040,
    widths: resnetCifarWidths(3),
    shortcut: true,
    architecture: resnetCifar(3),
  },
  'resnet-56': {
    ...cifar,
    title: 'ResNet-56 for CIFAR',
    source: 'He et al. 2016, arXiv:1512.03385, section 4.2',
    params: 853_018,
    macs: 125_485_696,
    widths: resnetCifarWidths(9),
    shortcut: true,
    architecture: resnetCifar(9),
  },
  'vgg-16-cifar': {
    ...cifar,
    title: 'VGG-16 for CIFAR',
    source: 'Li et al. 2017, arXiv:1608.08710, after Simonyan and Zisserman 2015',
    params: 14_986_698,
    macs: 313_463_808,
    widths: [...vggWidths(vggStages[16]), 512],
    architecture: vgg16Cifar,
  },
  'vgg-19-cifar': {
    ...cifar,
    title: 'VGG-19 for CIFAR',
    source: 'Liu et al. 2017, arXiv:1708.06519, after Simonyan and Zisserman 2015',
    params: 20_035_018,
    macs: 398_136_320,
    widths: vggWidths(vggStages[19]),
    architecture: vgg19Cifar,
  },
  alexnet: {
    ...imagenet,
    title: 'AlexNet',
    source: 'Krizhevsky 2014, arXiv:1404.5997, as in torchvision',
    params: 61_100_840,
    macs: 714_188_480,
    widths: [64, 192, 384, 256, 256, 4096, 4096],
    architecture: alexnet,
  },
  'vgg-16': {
    ...imagenet,
    title: 'VGG-16',
    source: 'Simonyan and Zisserman 2015, arXiv:1409.1556, as in torchvision',
    params: 138_357_544,
    macs: 15_470_264_320,
    widths: [...vggWidths(vggStages[16]), 4096, 4096],
    architecture: vgg16,
  },
  'resnet-18': {
    ...imagenet,
    title: 'ResNet-18',
    source: 'He et al. 2016, arXiv:1512.03385, as in torchvision',
    params: 11_689_512,
    macs: 1_814_073_344,
    widths: resnetWidths([2, 2, 2, 2]),
    architecture: resnet18,
  },
  'resnet-50': {
    ...imagenet,
    title: 'ResNet-50',
    source: 'He et al. 2016, arXiv:1512.03385, as in torchvision (stride on the 3×3 convolutions)',
    params: 25_557_032,
    macs: 4_089_184_256,
    widths: resnetWidths([3, 4, 6, 3]),
    architecture: resnet50,
  },
  'squeezenet-1.0': {
    ...imagenet,
    title: 'SqueezeNet 1.0',
    source: 'Iandola et al. 2016, arXiv:1602.07360, as in torchvision',
    params: 1_248_424,
    macs: 818_924_576,
    architecture: squeezenet10,
  },
  'squeezenet-1.1': {
    ...imagenet,
    title: 'SqueezeNet 1.1',
    source: "the authors' SqueezeNet_v1.1, as in torchvision",
    params: 1_235_496,
    macs: 349_151_936,
    architecture: squeezenet11,
  },
  'mobilenet-v1': {
    ...imagenet,
    title: 'MobileNet V1',
    source: 'Howard et al. 2017, arXiv:1704.04861',
    params: 4_231_976,
    macs: 568_740_352,
    architecture: mobilenetV1(),
  },
  'mobilenet-v2': {
    ...imagenet,
    title: 'MobileNet V2',
    source: 'Sandler et al. 2018, arXiv:1801.04381, as in torchvision',
    params: 3_504_872,
    macs: 300_774_272,
    architecture: mobilenetV2(),
  },
  'mobilenet-v3-large': {
    ...imagenet,
    title: 'MobileNet V3 Large',
    source: 'Howard et al. 2019, arXiv:1905.02244, as in torchvision',
    params: 5_483_032,
    macs: 216_589_760,
    architecture: mobilenetV3Large(),
  },
  'mobilenet-v3-small': {
    ...imagenet,
    title: 'MobileNet V3 Small',
    source: 'Howard et al. 2019, arXiv:1905.02244, as in torchvision',
    params: 2_542_856,
    macs: 56_510_400,
    architecture: mobilenetV3Small(),
  },
  'shufflenet-v1': {
    ...imagenet,
    title: 'ShuffleNet V1 (3 groups)',
    source: "Zhang et al. 2018, arXiv:1707.01083, initialized as the authors' code",
    params: 1_864_728,
    macs: 137_460_672,
    architecture: shufflenetV1(3),
  },
  'shufflenet-v2': {
    ...imagenet,
    title: 'ShuffleNet V2',
    source: 'Ma et al. 2018, arXiv:1807.11164, as in torchvision',
    params: 2_278_604,
    macs: 144_907_992,
    architecture: shufflenetV2(),
  },
  'shufflenet-v1-g1': {
    ...imagenet,
    title: 'ShuffleNet V1 (1 group)',
    source: "Zhang et al. 2018, arXiv:1707.01083, initialized as the authors' code",
    params: 1_530_936,
    macs: 143_078_976,
    architecture: shufflenetV1(1),
  },
  'shufflenet-v1-g2': {
    ...imagenet,
    title: 'ShuffleNet V1 (2 groups)',
    source: "Zhang et al. 2018, arXiv:1707.01083, initialized as the authors' code",
    params: 1_732_848,
    macs: 140_836_512,
    architecture: shufflenetV1(2),
  },
  'shufflenet-v1-g4': {
    ...imagenet,
    title: 'ShuffleNet V1 (4 groups)',
    source: "Zhang et al. 2018, arXiv:1707.01083, initialized as the authors' code",
    params: 1_967_344,
    macs: 134_339_776,
    architecture: shufflenetV1(4),
  },
  'shufflenet-v1-g8': {
    ...imagenet,
    title: 'ShuffleNet V1 (8 groups)',
    source: "Zhang et al. 2018, arXiv:1707.01083, initialized as the authors' code",
    params: 2_433_768,
    macs: 138_365_952,
    architecture: shufflenetV1(8),
  },
  'squeezenet-cifar': {
    ...cifar,
    title: 'SqueezeNet 1.1 for CIFAR',
    source: 'Iandola et al. 2016, arXiv:1602.07360, with the first stride and pooling left out',
    params: 727_626,
    macs: 88_735_744,
    architecture: squeezenetCifar,
  },
  'mobilenet-v1-cifar': {
    ...cifar,
    title: 'MobileNet V1 for CIFAR',
    source: 'Howard et al. 2017, arXiv:1704.04861, with the first stride left out',
    params: 3_217_226,
    macs: 46_354_432,
    architecture: mobilenetV1(1),
  },
  'mobilenet-v2-cifar': {
    ...cifar,
    title: 'MobileNet V2 for CIFAR',
    source: 'Sandler et al. 2018, arXiv:1801.04381, with the first two strides left out',
    params: 2_236_682,
    macs: 87_976_448,
    architecture: mobilenetV2(2),
  },
  'mobilenet-v3-large-cifar': {
    ...cifar,
    title: 'MobileNet V3 Large for CIFAR',
    source: 'Howard et al. 2019, arXiv:1905.02244, with the first two strides left out',
    params: 4_214_842,
    macs: 66_459_008,
    architecture: mobilenetV3Large(2),
  },
  'mobilenet-v3-small-cifar': {
    ...cifar,
    title: 'MobileNet V3 Small for CIFAR',
    source: 'Howard et al. 2019, arXiv:1905.02244, with the first two strides left out',
    params: 1_528_106,
    macs: 17_507_328,
    architecture: mobilenetV3Small(2),
  },
  'shufflenet-v1-cifar': {
    ...cifar,
    title: 'ShuffleNet V1 (3 groups) for CIFAR',
    source: 'Zhang et al. 2018, arXiv:1707.01083, with the first stride and pooling left out',
    params: 914_328,
    macs: 42_590_592,
    architecture: shufflenetV1(3, true),
  },
  'shufflenet-v2-cifar': {
    ...cifar,
    title: 'ShuffleNet V2 for CIFAR',
    source: 'Ma et al. 2018, arXiv:1807.11164, with the first stride and pooling left out',
    params: 1_263_854,
    macs: 45_002_112,
    architecture: shufflenetV2(true),
  },
} as const satisfies Readonly<Record<string, Row>>

export type ZooId = keyof typeof rows

/** Every net by its id. */
export const zoo: Readonly<Record<ZooId, ZooEntry<ZooId>>> = tableOf(rows)

/** A model of the zoo with fresh weights. Its metadata name the net and the seed. */
export function buildZoo(id: ZooId, options: ZooOptions = {}): Model {
  const provenance = { 'alambic.zoo': id, 'alambic.zoo.seed': String(options.seed ?? defaultSeed) }
  return modelOf(zoo[id].build(options), new Map(Object.entries(provenance)))
}

const defaultSeed = 42

/** Makes entries of rows; a row's architecture becomes a `build` that checks its options. */
export function tableOf<Id extends string>(rows: Readonly<Record<Id, Row>>): Readonly<Record<Id, ZooEntry<Id>>> {
  const entries = Object.entries<Row>(rows).map(([id, row]) => {
    const { architecture, shortcut, widths = [], ...facts } = row
    const own: (keyof ZooOptions)[] = [
      ...(widths.length > 0 ? ['widths' as const] : []),
      ...(shortcut ? ['shortcut' as const] : []),
    ]
    const accepted = ['seed', 'classes', 'inputDims', 'width', ...own] as const
    const entry = { ...facts, id: id as Id, widths, options: accepted }
    return [id, { ...entry, build: (options = {}) => architecture(planOf(entry, options)) } satisfies ZooEntry<Id>]
  })
  return Object.fromEntries(entries) as Record<Id, ZooEntry<Id>>
}

function planOf(entry: Omit<ZooEntry, 'build'>, options: ZooOptions): Plan {
  check(entry, options)
  const width = options.width ?? 1
  return {
    name: entry.id,
    seed: options.seed ?? defaultSeed,
    classes: options.classes ?? entry.classes,
    input: options.inputDims ?? entry.input,
    width,
    widths: options.widths ?? entry.widths.map((channels) => scaled(channels, width)),
    shortcut: options.shortcut ?? 'A',
  }
}

function check(entry: Omit<ZooEntry, 'build'>, options: ZooOptions): void {
  const fail = (option: string, expected: string, found: unknown): never => {
    throw new AlambicError('zoo.option', `${entry.id}: the option "${option}" is not usable`, {
      subject: entry.id,
      expected,
      found: JSON.stringify(found),
    })
  }
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !(entry.options as readonly string[]).includes(name)) {
      fail(name, `one of: ${entry.options.join(', ')}`, name)
    }
  }
  const { classes, inputDims, width, widths } = options
  if (classes !== undefined && !isSize(classes)) fail('classes', 'a whole number of at least 1', classes)
  if (inputDims && !(inputDims.length === 3 && inputDims.every(isSize)))
    fail('inputDims', 'three sizes: C, H, W', inputDims)
  if (width !== undefined && !(width > 0 && Number.isFinite(width))) fail('width', 'a positive factor', width)
  if (widths && !(widths.length === entry.widths.length && widths.every(isSize))) {
    fail('widths', `${entry.widths.length} channel counts of at least 1`, widths)
  }
}

const isSize = (n: number): boolean => Number.isInteger(n) && n >= 1

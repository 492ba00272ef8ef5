import { dirname, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { arrows, packageHomes } from './arrows.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** @param {string} path @returns {string} `path` from the root of the repository, with forward slashes */
const fromRoot = (path) => relative(root, path).split(sep).join('/')

/** @param {string} path @param {string} folder */
const isInside = (path, folder) => path === folder || path.startsWith(`${folder}/`)

/** @param {string} path @returns {string | undefined} the folder of the table that holds `path` */
export const folderOf = (path) => Object.keys(arrows).find((folder) => isInside(path, folder))

/**
 * Why `file` may not import `specifier`; undefined when it may.
 *
 * @param {string} file path from the root
 * @param {string} specifier as it is written in the import
 * @returns {string | undefined}
 */
export const whyForbidden = (file, specifier) => {
  if (/\.test\.[cm]?[jt]s$/.test(file)) return undefined
  const from = folderOf(file)
  if (from === undefined) return undefined
  if (!specifier.startsWith('.')) {
    const homes = Object.entries(packageHomes).find(([name]) => isInside(specifier, name))?.[1]
    if (homes === undefined || homes.includes(from)) return undefined
    return `${from} may not load "${specifier}": only ${homes.join(', ')} may.`
  }
  const target = fromRoot(resolve(root, dirname(file), specifier))
  if (isInside(target, from) || arrows[from]?.some((folder) => isInside(target, folder))) return undefined
  const allowed = arrows[from]?.join(', ') || 'nothing of ours'
  return `${from} may not import ${target}: it may import itself and ${allowed}.`
}

/** @type {import('eslint').Rule.RuleModule} */
const importArrows = {
  meta: { type: 'problem', schema: [], messages: { forbidden: '{{why}}' } },
  create(context) {
    const file = fromRoot(context.filename)
    /** @param {import('estree').Node | null | undefined} source */
    const check = (source) => {
      if (source?.type !== 'Literal' || typeof source.value !== 'string') return
      const why = whyForbidden(file, source.value)
      if (why !== undefined) context.report({ node: source, messageId: 'forbidden', data: { why } })
    }
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      /** @param {any} node a type such as `import('./a.ts').A` */
      TSImportType: (node) => check(node.source),
    }
  },
}

/** @type {import('eslint').Rule.RuleModule} a warning well before `max-lines` becomes an error */
const longFile = {
  meta: { type: 'suggestion', schema: [], messages: { long: '{{lines}} lines; think of splitting it before 600.' } },
  create: (context) => ({
    Program(node) {
      const lines = context.sourceCode.lines.length
      if (lines > 400) context.report({ node, messageId: 'long', data: { lines: String(lines) } })
    },
  }),
}

export default { rules: { 'import-arrows': importArrows, 'long-file': longFile } }

import { z } from 'zod'

/*
 * Names of things, as they cross the border. All are opaque text for a renderer: compare them, keep them, put them in
 * an address, never take them apart.
 */

const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'lower-case letters, digits and dashes')

/** A project, by the id in its `project.json`. */
export const ProjectId = id
export type ProjectId = string

/** A run, unique over all projects: `<project>.<folder of the run>`. */
export const RunKey = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.[a-z0-9][a-z0-9-]{0,63}$/, 'not the key of a run')
export type RunKey = string

/** A model, by the SHA-256 of its file, in hexadecimal. */
export const ModelId = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256')
export type ModelId = string

/** A data set of a project. */
export const DatasetId = id
export type DatasetId = string

/** A recipe of a project, by the name of its file. */
export const RecipeFileName = z.string().regex(/^[a-zA-Z0-9][\w.-]{0,99}\.ya?ml$/, 'the name of a YAML file')
export type RecipeFileName = string

/** One checkpoint of a run: `<step of the recipe>/<training step>`. */
export const CheckpointId = z.string().regex(/^\d{1,4}\/\d{1,15}$/, 'not the name of a checkpoint')
export type CheckpointId = string

/** Chosen by the caller, so that work can be cancelled before it has answered. */
export const JobId = z.string().regex(/^[\w-]{1,64}$/, 'letters, digits and dashes')
export type JobId = string

/** What people call a thing: any text of one line. It is shown as text, never as markup. */
export const Title = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'one line of text')

export const Path = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\0]*$/, 'a path has no zero byte')

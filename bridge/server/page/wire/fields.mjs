// A job's settings. Written by docs/generate.py from the fields of bridge/protocol/job.py.

export const PROTOCOL_VERSION = 2;

/** @typedef {"fill" | "refine" | "generate" | "upscale" | "estimate"} Kind */
/**
 * A field of a job's settings. `group` is the map that holds it, null: the settings themselves; `kinds` are the kinds
 * of job that it has an effect on; an `optional` one may be null.
 * @typedef {{name: string, group: string | null, type: string, optional: boolean, default: unknown, min?: number,
 *   max?: number, choices?: string[], kinds: Kind[], doc: string}} Field
 */

/** Kinds of job: their modes, and what strength suits. @type {Record<Kind, {modes: string[], strength: number}>} */
export const KINDS = {"fill": {"modes": ["auto", "fill", "expand", "add", "remove", "background"], "strength": 1.0}, "refine": {"modes": ["auto", "refine"], "strength": 1.0}, "generate": {"modes": ["auto", "generate"], "strength": 1.0}, "upscale": {"modes": ["auto", "upscale"], "strength": 0.3}, "estimate": {"modes": ["auto", "estimate"], "strength": 1.0}};

export const SCALES = [2, 4];

/** @type {Field[]} */
export const FIELDS = [
  {"name": "kind", "group": null, "type": "str", "optional": false, "default": "fill", "choices": ["fill", "refine", "generate", "upscale", "estimate"], "kinds": ["fill", "refine", "generate", "upscale", "estimate"], "doc": "Job kind."},
  {"name": "mode", "group": null, "type": "str", "optional": false, "default": "auto", "choices": ["auto", "fill", "expand", "add", "remove", "background", "refine", "generate", "upscale", "estimate"], "kinds": ["fill", "refine", "generate", "upscale", "estimate"], "doc": "Mode of that kind."},
  {"name": "scale", "group": null, "type": "int", "optional": false, "default": 1, "min": 1, "max": 4, "kinds": ["upscale"], "doc": "Times that the context is enlarged: 2 or 4 with `upscale`, 1 with any other kind."},
  {"name": "checkpoint", "group": null, "type": "str", "optional": true, "default": null, "max": 256, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Checkpoint; none: the bridge's default."},
  {"name": "prompt", "group": "conditioning", "type": "str", "optional": false, "default": "", "max": 8192, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "What is wanted; docs/prompts.md tells of weights, choices, wildcards and LoRAs."},
  {"name": "negative_prompt", "group": "conditioning", "type": "str", "optional": false, "default": "", "max": 8192, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "What is not wanted."},
  {"name": "conditions", "group": "conditioning", "type": "list", "optional": false, "default": [], "max": 16, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Guidance by other pictures."},
  {"name": "regions", "group": "conditioning", "type": "list", "optional": false, "default": [], "max": 16, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Prompts for parts of the picture, from the lowest to the uppermost; from five on it takes much longer."},
  {"name": "inpaint_controlnet", "group": "conditioning", "type": "str", "optional": true, "default": null, "max": 256, "kinds": ["fill"], "doc": "The ControlNet that is shown what is painted on, for checkpoints that are not shown it themselves, by its name; none: the first one that fits; `off`: without."},
  {"name": "strength", "group": "sampling", "type": "float", "optional": true, "default": null, "min": 0.01, "max": 1.0, "kinds": ["fill", "refine", "upscale"], "doc": "1: repaint freely; less: keep more of what is there. None: what suits the kind, which is 0.3 with `upscale` and 1 with any other."},
  {"name": "seed", "group": "sampling", "type": "int", "optional": true, "default": null, "min": 0, "kinds": ["fill", "refine", "generate", "upscale", "estimate"], "doc": "Seed of the first picture; the others count up, and from the largest on to 0. None: the bridge draws one."},
  {"name": "batch", "group": "sampling", "type": "int", "optional": false, "default": 1, "min": 1, "max": 64, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "How many pictures."},
  {"name": "steps", "group": "sampling", "type": "int", "optional": true, "default": null, "min": 1, "max": 1000, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Denoising steps; none: what suits the checkpoint, and in a recipe: nothing was denoised."},
  {"name": "guidance", "group": "sampling", "type": "float", "optional": true, "default": null, "min": 0.0, "max": 100.0, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Guidance scale; none: what suits the checkpoint."},
  {"name": "sampler", "group": "sampling", "type": "str", "optional": true, "default": null, "max": 64, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Sampler; none: what suits the checkpoint."},
  {"name": "fast", "group": "sampling", "type": "bool", "optional": false, "default": false, "kinds": ["fill", "refine", "generate", "upscale"], "doc": "Compute most steps in part only, with what steps before them have computed: faster, and nearly the same picture. Fewer than 8 steps are all computed whole."},
  {"name": "grow", "group": "edges", "type": "float", "optional": true, "default": null, "min": 0.0, "max": 4096.0, "kinds": ["fill", "refine", "generate"], "doc": "Pixels to grow the selection by; none: the bridge's choice."},
  {"name": "feather", "group": "edges", "type": "float", "optional": true, "default": null, "min": 0.0, "max": 4096.0, "kinds": ["fill", "refine", "generate"], "doc": "Pixels of feather; none: the bridge's choice."},
  {"name": "strict", "group": "edges", "type": "bool", "optional": false, "default": false, "kinds": ["fill", "refine", "generate"], "doc": "Keep alpha at 0 wherever the selection is 0."},
  {"name": "control_kind", "group": "estimation", "type": "str", "optional": false, "default": "canny", "min": 1, "max": 32, "kinds": ["estimate"], "doc": "The kind of condition that the map is."},
  {"name": "estimator", "group": "estimation", "type": "str", "optional": true, "default": null, "max": 256, "kinds": ["estimate"], "doc": "The network that estimates it, by its name; none: the bridge's choice. Canny edges, line drawings, scribbles and blurred pictures need none."},
  {"name": "weak_edge", "group": "estimation", "type": "float", "optional": false, "default": 100.0, "min": 0.0, "max": 1000.0, "kinds": ["estimate"], "doc": "Canny edges: contrasts below this are none, those between this and `strong_edge` go on from a strong one."},
  {"name": "strong_edge", "group": "estimation", "type": "float", "optional": false, "default": 200.0, "min": 0.0, "max": 1000.0, "kinds": ["estimate"], "doc": "Canny edges: contrasts above this are edges."},
  {"name": "detail_size", "group": "estimation", "type": "float", "optional": true, "default": null, "min": 0.5, "max": 512.0, "kinds": ["estimate"], "doc": "Blurred pictures: detail smaller than so many pixels is lost; line drawings and scribbles: the width of their lines. None: what suits the picture's size."},
];

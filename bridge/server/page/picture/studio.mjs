// The document: a picture, the layers over it, and the selection. Whoever shows it listens to its events.

import { Mask } from "../mask/mask.mjs";
import { History } from "./history.mjs";
import { copyRect, drawOver, intersection, makeRaster, union } from "./pixels.mjs";

/** @typedef {import("./pixels.mjs").Raster} Raster */
/** @typedef {import("./pixels.mjs").Rect} Rect */
/** @typedef {import("../wire/bridge.mjs").ResultLayer} ResultLayer */
/**
 * One result. `job` is shared by the variants of one job, of which one is shown; `kept` ends the choice among them.
 * @typedef {ResultLayer & {id: number, job: string, name: string, visible: boolean, kept: boolean}} Layer
 */

/** Events: `opened`, `pixels` (detail: Rect), `mask` (detail: Rect), `layers`, `history`. */
export class Studio extends EventTarget {
  /** @type {Raster | null} the picture as it was opened */
  base = null;
  /** What is seen: the layers over the picture. @type {Raster} */
  composed = makeRaster(1, 1);
  mask = new Mask(1, 1);
  /** From the lowest to the topmost. @type {readonly Layer[]} */
  layers = [];
  history = new History();
  name = "";
  /** Whether something was made that no download has saved. */
  unsaved = false;
  #ids = 0;
  #before = false;

  /**
   * @param {Raster} raster
   * @param {string} name
   */
  open(raster, name) {
    this.base = raster;
    this.name = name;
    this.composed = { ...raster, data: raster.data.slice() };
    this.mask = new Mask(raster.width, raster.height);
    this.layers = [];
    this.history = new History();
    this.unsaved = false;
    this.#before = false;
    for (const event of ["opened", "layers", "history"]) this.#say(event);
  }

  /**
   * Another picture takes the place of this one and its layers, in one step that can be undone.
   * @param {Raster} raster
   */
  replace(raster) {
    const { base, layers, mask } = this;
    if (base === null) return;
    const set = (/** @type {Raster} */ picture, /** @type {readonly Layer[]} */ over, /** @type {Mask} */ selection) => {
      this.base = picture;
      this.composed = { ...picture, data: picture.data.slice() };
      this.mask = selection;
      this.layers = over;
      this.unsaved = true;
      this.#compose(this.bounds);
      for (const event of ["opened", "layers"]) this.#say(event);
      this.#say("mask", this.bounds);
    };
    const fresh = new Mask(raster.width, raster.height);
    set(raster, [], fresh);
    const bytes = base.data.length + raster.data.length;
    this.#remember({ undo: () => set(base, layers, mask), redo: () => set(raster, [], fresh), bytes });
  }

  /** @returns {Rect} */
  get bounds() {
    const { width, height } = this.composed;
    return { x: 0, y: 0, width, height };
  }

  // ---------------------------------------------------------- selection

  /**
   * Change the selection in one step that can be undone.
   * @param {Rect} area what may change
   * @param {(mask: Mask) => void} change
   */
  select(area, change) {
    const inside = intersection(area, this.bounds);
    if (inside === null) return;
    this.mask.begin();
    this.mask.keep(inside);
    change(this.mask);
    this.#say("mask", inside);
    this.selected();
  }

  /** @param {Rect} area of a stroke that is under way */
  selecting(area) {
    this.#say("mask", area);
  }

  /** A stroke, begun with `mask.begin()`, is done. */
  selected() {
    const tiles = this.mask.commit();
    if (tiles.length === 0) return;
    const back = (/** @type {"before" | "after"} */ which) => () => this.#say("mask", this.mask.restore(tiles, which));
    const bytes = tiles.reduce((sum, { before }) => sum + 2 * before.length, 0);
    this.#remember({ undo: back("before"), redo: back("after"), bytes });
  }

  /** A stroke was not meant. */
  unselected() {
    this.#say("mask", this.mask.restore(this.mask.commit(), "before"));
  }

  // ---------------------------------------------------------- layers

  /**
   * A job's results come on top; the first of them is shown.
   * @param {string} job
   * @param {string} name
   * @param {ResultLayer[]} results
   */
  add(job, name, results) {
    const several = results.length > 1;
    const made = results.map((result, index) => ({
      ...result,
      id: ++this.#ids,
      job,
      name: several ? `${name} · ${index + 1}` : name,
      visible: index === 0,
      kept: !several,
    }));
    this.#arrange([...this.layers, ...made]);
  }

  /**
   * Show a layer, in place of the variants of its job, or hide it.
   * @param {Layer} layer
   */
  toggle(layer) {
    const visible = !layer.visible;
    this.#arrange(
      this.layers.map((other) => {
        if (other.id === layer.id) return { ...other, visible };
        return visible && !layer.kept && other.job === layer.job ? { ...other, visible: false } : other;
      }),
    );
  }

  /**
   * Keep this variant, shown, and let the others of its job go. The selection is free for what comes next.
   * @param {Layer} layer
   */
  keep(layer) {
    const left = this.layers.filter((other) => other.id === layer.id || other.job !== layer.job);
    this.#arrange(left.map((other) => (other.id === layer.id ? { ...other, visible: true, kept: true } : other)));
  }

  /** @param {Layer} layer */
  remove(layer) {
    const left = this.layers.filter((other) => other.id !== layer.id);
    const variants = left.filter((other) => other.job === layer.job && !other.kept);
    const heir = layer.visible && variants.length && !variants.some((other) => other.visible) ? variants[0].id : 0;
    this.#arrange(left.map((other) => (other.id === heir ? { ...other, visible: true } : other)));
  }

  /**
   * Show what was there before the topmost layer that is shown, or show that layer again.
   * @param {boolean} before
   */
  showBefore(before) {
    if (this.#before === before) return;
    this.#before = before;
    const top = this.layers.findLast((layer) => layer.visible);
    if (top !== undefined) this.#compose(top);
  }

  undo() {
    this.history.undo();
    this.#say("history");
  }

  redo() {
    this.history.redo();
    this.#say("history");
  }

  /** @param {readonly Layer[]} layers */
  #arrange(layers) {
    const before = this.layers;
    const set = (/** @type {readonly Layer[]} */ wanted) => {
      const changed = difference(this.layers, wanted);
      this.layers = wanted;
      this.unsaved = true;
      this.#compose(changed);
      this.#say("layers");
    };
    set(layers);
    const held = new Set(before.concat(layers).map((layer) => layer.data));
    const bytes = [...held].reduce((sum, data) => sum + data.length, 0);
    this.#remember({ undo: () => set(before), redo: () => set(layers), bytes });
  }

  /** @param {Rect | null} area */
  #compose(area) {
    const inside = area === null ? null : intersection(area, this.bounds);
    if (inside === null || this.base === null) return;
    const shown = this.layers.filter((layer) => layer.visible);
    copyRect(this.base, this.composed, inside);
    for (const layer of this.#before ? shown.slice(0, -1) : shown) drawOver(this.composed, layer, inside);
    this.#say("pixels", inside);
  }

  /** @param {import("./history.mjs").Step} step */
  #remember(step) {
    this.history.add(step);
    this.#say("history");
  }

  /** @param {string} name @param {unknown} [detail] */
  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/**
 * Where two arrangements of layers may look different.
 * @param {readonly Layer[]} before
 * @param {readonly Layer[]} after
 */
function difference(before, after) {
  const seen = new Map(before.map((layer) => [layer.id, layer.visible]));
  const now = new Map(after.map((layer) => [layer.id, layer.visible]));
  /** @type {Rect | null} */
  let area = null;
  for (const layer of [...before, ...after]) {
    if (Boolean(seen.get(layer.id)) !== Boolean(now.get(layer.id))) area = union(area, layer);
  }
  return area;
}

// The list of layers, the topmost first.

import { savePng } from "../picture/files.mjs";
import { byId, iconButton, inputById, make } from "./dom.mjs";
import { complain, note } from "./notices.mjs";
import { flat } from "../wire/settings.mjs";

/** @typedef {import("../picture/studio.mjs").Studio} Studio */
/** @typedef {import("../picture/studio.mjs").Layer} Layer */

const THUMBNAIL = 104;

/** @param {Studio} studio */
export function serveLayers(studio) {
  const section = byId("layers");
  const list = /** @type {HTMLUListElement} */ (section.querySelector("ul"));
  /** @type {WeakMap<Uint8ClampedArray, HTMLCanvasElement>} */
  const thumbnails = new WeakMap();

  studio.addEventListener("layers", () => {
    // The list is made anew; whoever stood on a button should still stand there.
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
    section.hidden = studio.layers.length === 0;
    byId("before").hidden = !studio.layers.some((layer) => layer.visible);
    list.replaceChildren(...[...studio.layers].reverse().map((layer) => row(studio, layer, thumbnails)));
    if (focused !== undefined) {
      const same = list.querySelector(`[data-key="${focused}"]`) ?? list.querySelector("button");
      if (same instanceof HTMLElement) same.focus();
    }
  });

  const before = byId("before");
  const hold = (/** @type {boolean} */ yes) => () => studio.showBefore(yes);
  before.onpointerdown = hold(true);
  for (const end of /** @type {const} */ (["pointerup", "pointercancel", "pointerleave", "blur"])) {
    before.addEventListener(end, hold(false));
  }
  before.onkeydown = ({ key }) => [" ", "Enter"].includes(key) && studio.showBefore(true);
  before.onkeyup = hold(false);
}

/**
 * @param {Studio} studio
 * @param {Layer} layer
 * @param {WeakMap<Uint8ClampedArray, HTMLCanvasElement>} thumbnails
 */
function row(studio, layer, thumbnails) {
  const recipe = flat(layer.recipe.settings);
  const picture = thumbnails.get(layer.data) ?? thumbnail(layer);
  thumbnails.set(layer.data, picture);
  const about = `${recipe.checkpoint} · seed ${recipe.seed}`;
  const details = `${about} · ${recipe.steps ?? 0} steps · guidance ${recipe.guidance} · ${recipe.sampler}`;
  const button = (/** @type {string} */ icon, /** @type {string} */ words, /** @type {() => void} */ act) => {
    const made = iconButton(icon, `${words}: ${layer.name}`, act);
    made.title = words;
    made.dataset.key = `${icon === "hidden" ? "eye" : icon} ${layer.id}`;
    return made;
  };
  const shown = button(layer.visible ? "eye" : "hidden", "Show", () => studio.toggle(layer));
  shown.ariaPressed = String(layer.visible);
  const buttons = [
    shown,
    ...(layer.kept ? [] : [button("keep", "Keep this one, let the others go", () => studio.keep(layer))]),
    button("seed", "Use its seed", () => {
      inputById("seed").value = String(recipe.seed);
      note(`Seed ${recipe.seed} is in the form.`);
    }),
    button("save", "Download this layer", () => save(studio, layer)),
    button("remove", "Remove", () => studio.remove(layer)),
  ];
  return make(
    "li",
    { className: layer.visible ? "layer shown" : "layer" },
    picture,
    make("div", {}, make("div", { className: "name", title: layer.name }, layer.name), make("div", { className: "about numbers", title: details }, about)),
    make("div", { className: "group" }, ...buttons),
  );
}

/**
 * The layer alone, transparent where the picture is untouched, of the picture's size.
 * @param {Studio} studio
 * @param {Layer} layer
 */
async function save(studio, layer) {
  const { width, height } = studio.bounds;
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < layer.height; y++) {
    const part = layer.data.subarray(4 * y * layer.width, 4 * (y + 1) * layer.width);
    data.set(part, 4 * ((layer.y + y) * width + layer.x));
  }
  try {
    await savePng({ width, height, data }, `${studio.name}-layer-${layer.id}.png`);
  } catch (error) {
    complain(error);
  }
}

/** @param {Layer} layer */
function thumbnail(layer) {
  const whole = new OffscreenCanvas(layer.width, layer.height);
  whole.getContext("2d")?.putImageData(new ImageData(layer.data, layer.width, layer.height), 0, 0);
  const canvas = make("canvas", { width: THUMBNAIL, height: THUMBNAIL, ariaHidden: "true" });
  const scale = Math.max(THUMBNAIL / layer.width, THUMBNAIL / layer.height);
  const [width, height] = [layer.width * scale, layer.height * scale];
  canvas.getContext("2d")?.drawImage(whole, (THUMBNAIL - width) / 2, (THUMBNAIL - height) / 2, width, height);
  return canvas;
}

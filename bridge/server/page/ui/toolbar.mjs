// The tools beside the canvas, zoom, undo, and their keys.

import { followPointer } from "../canvas/pointer.mjs";
import { makeTools } from "../canvas/tools.mjs";
import { byId, inputById, make, speak } from "./dom.mjs";

/** @typedef {import("../picture/studio.mjs").Studio} Studio */
/** @typedef {import("../canvas/view.mjs").View} View */

const LEAST_SIZE = 2;
const LARGEST_SHARE = 0.6;

/**
 * @param {Studio} studio
 * @param {View} view
 */
export function serveTools(studio, view) {
  const hand = { size: 64, hardness: 0.5, erase: false };
  const tools = makeTools(studio, hand);
  const size = inputById("size");
  const hardness = inputById("hardness");
  const erase = inputById("erase");
  const chosen = () => /** @type {HTMLInputElement} */ (document.querySelector("[name=tool]:checked")).value;

  // The slider goes by the square, so that small brushes can be told apart.
  const readSize = () => {
    const { width, height } = studio.bounds;
    const largest = Math.max(LEAST_SIZE + 1, Math.max(width, height) * LARGEST_SHARE);
    hand.size = LEAST_SIZE + (largest - LEAST_SIZE) * (size.valueAsNumber / 100) ** 2;
    byId("size-value").textContent = `${Math.round(hand.size)}`;
    size.ariaValueText = `${Math.round(hand.size)} pixels`;
    view.drawOverlay();
  };
  const readHardness = () => {
    hand.hardness = hardness.valueAsNumber / 100;
    byId("hardness-value").textContent = `${hardness.value}`;
    view.drawOverlay();
  };
  size.oninput = readSize;
  hardness.oninput = readHardness;
  erase.onchange = () => (hand.erase = erase.checked);
  for (const radio of document.getElementsByName("tool")) {
    radio.onchange = () => {
      byId("size").closest("div")?.toggleAttribute("hidden", chosen() !== "brush");
      view.drawOverlay();
    };
  }
  studio.addEventListener("opened", () => {
    size.value = "38";
    readSize();
    readHardness();
  });
  const active = () => (studio.base === null ? null : tools[/** @type {keyof typeof tools} */ (chosen())]);
  followPointer(view, active, speak);

  const shown = byId("mask-shown");
  const show = (/** @type {boolean} */ yes) => {
    view.maskShown = yes;
    shown.ariaPressed = String(yes);
    view.drawOverlay();
  };
  shown.onclick = () => show(!view.maskShown);
  // A selection that changes is looked at.
  studio.addEventListener("mask", () => show(true));

  const change = (/** @type {(value: number) => number} */ by, /** @type {string} */ words) => () => {
    studio.select(studio.bounds, (mask) => mask.map(by));
    speak(words);
  };
  byId("select-all").onclick = change(() => 255, "Everything is selected.");
  byId("invert").onclick = change((value) => 255 - value, "The selection is inverted.");
  byId("clear").onclick = change(() => 0, "Nothing is selected.");

  byId("undo").onclick = () => studio.undo();
  byId("redo").onclick = () => studio.redo();
  studio.addEventListener("history", () => {
    inputById("undo").disabled = !studio.history.canUndo;
    inputById("redo").disabled = !studio.history.canRedo;
  });

  const zoom = (/** @type {number} */ factor) => {
    view.viewport.zoom(factor);
    view.moved();
  };
  byId("zoom-in").onclick = () => zoom(1.5);
  byId("zoom-out").onclick = () => zoom(1 / 1.5);
  byId("zoom-fit").onclick = () => {
    view.viewport.fit();
    view.moved();
  };
  view.addEventListener("moved", () => {
    byId("zoom").textContent = `${Math.round(view.viewport.scale * 100)} %`;
  });

  const nudge = (/** @type {number} */ by) => {
    size.value = String(size.valueAsNumber + by);
    readSize();
  };
  return { show, nudge };
}

/**
 * @typedef {{keys: string, words: string, key: string, command?: boolean, act: () => void, release?: () => void}} Shortcut
 * `key` as in KeyboardEvent; `command` with Ctrl, on a Mac with ⌘
 */

/** @param {Shortcut[]} shortcuts */
export function serveKeys(shortcuts) {
  const typing = (/** @type {EventTarget | null} */ target) =>
    target instanceof HTMLElement && target.matches("textarea, select, input:not([type=range], [type=radio], [type=checkbox])");
  const find = (/** @type {KeyboardEvent} */ event) =>
    shortcuts.find(({ key, command = false }) => {
      const same = event.key === key || event.key.toLowerCase() === key;
      const shifted = key === "Z" ? event.shiftKey : key === "z" ? !event.shiftKey : true;
      return same && shifted && command === (event.ctrlKey || event.metaKey) && !event.altKey;
    });

  document.addEventListener("keydown", (event) => {
    const shortcut = find(event);
    if (shortcut === undefined || document.querySelector("dialog[open]")) return;
    if (typing(event.target) && !["Enter", "o", "s"].includes(shortcut.key)) return;
    event.preventDefault();
    if (!event.repeat || shortcut.release === undefined) shortcut.act();
  });
  document.addEventListener("keyup", (event) => find(event)?.release?.());

  const list = byId("keys-list");
  const pointer = [
    { keys: "Space", words: "Hold and drag: move the picture" },
    { keys: "Arrows, ⏎", words: "On the canvas: move the tool, begin and end" },
  ];
  for (const { keys, words } of [...shortcuts, ...pointer]) list.append(make("dt", {}, keys), make("dd", {}, words));
  const dialog = /** @type {HTMLDialogElement} */ (byId("keys-dialog"));
  byId("keys-open").onclick = () => dialog.showModal();
}

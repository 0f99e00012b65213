// Mouse, pen, fingers and keys on the stage: they move a tool, or the view.

/** @typedef {import("./view.mjs").View} View */
/** @typedef {import("./tools.mjs").Tool} Tool */
/** @typedef {import("../mask/mask.mjs").Point} Point */

const KEY_STEP = 12;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {View} view
 * @param {() => Tool | null} tool null: there is nothing to select on
 * @param {(words: string) => void} announce for those who do not see the cursor
 */
export function followPointer(view, tool, announce) {
  const { overlay: stage, viewport } = view;
  /** @type {Map<number, Point>} */
  const fingers = new Map();
  /** @type {Tool | null} the tool that is at work */
  let working = null;
  let panning = false;
  let spaceHeld = false;
  /** @type {Point | null} where the tool is, in picture pixels */
  let cursor = null;

  view.marks = (drawing) => tool()?.draw(drawing, viewport, cursor);

  const at = (/** @type {MouseEvent} */ event) => {
    const { left, top } = stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const pressure = (/** @type {PointerEvent} */ event) => (event.pointerType === "pen" ? 0.3 + 0.7 * event.pressure : 1);
  const finish = (/** @type {"end" | "cancel"} */ how) => {
    working?.[how]();
    working = null;
    view.drawOverlay();
  };

  // A ring around the whole canvas is for those who come by keys.
  const ring = (/** @type {boolean} */ shown) => () => stage.classList.toggle("by-hand", !shown);
  stage.addEventListener("keydown", ring(true));
  stage.addEventListener("focus", ring(true));
  stage.addEventListener("pointerdown", ring(false));

  stage.addEventListener("pointerdown", (event) => {
    if (tool() === null) return;
    stage.setPointerCapture(event.pointerId);
    const point = at(event);
    if (event.pointerType === "touch") fingers.set(event.pointerId, point);
    if (fingers.size > 1) return finish("cancel");
    if (event.button === 1 || spaceHeld) {
      panning = true;
    } else if (event.button === 0) {
      finish("cancel");
      working = tool();
      cursor = viewport.toPicture(point);
      working?.begin(cursor, pressure(event));
    }
    view.drawOverlay();
  });

  stage.addEventListener("pointermove", (event) => {
    if (fingers.size > 1) return pinch(event);
    if (panning) {
      viewport.pan(event.movementX, event.movementY);
      return view.moved();
    }
    const events = working === null ? [event] : event.getCoalescedEvents();
    for (const part of events.length ? events : [event]) {
      cursor = viewport.toPicture(at(part));
      working?.move(cursor, pressure(part));
    }
    view.drawOverlay();
  });

  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
    stage.addEventListener(name, (event) => {
      fingers.delete(event.pointerId);
      panning = false;
      if (event.pointerType === "touch") cursor = null;
      finish(name === "pointerup" ? "end" : "cancel");
    });
  }
  stage.addEventListener("pointerleave", () => {
    if (working === null) cursor = null;
    view.drawOverlay();
  });

  /** @param {PointerEvent} event */
  function pinch(event) {
    const before = [...fingers.values()];
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, at(event));
    const after = [...fingers.values()];
    const [from, to] = [middle(before), middle(after)];
    viewport.pan(to.x - from.x, to.y - from.y);
    viewport.zoom(spread(after) / Math.max(1, spread(before)), to);
    view.moved();
  }

  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // A line of a mouse's wheel is some 30 pixels of a touchpad's.
      const distance = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1);
      viewport.zoom(Math.exp(-distance * (event.ctrlKey ? 0.01 : 0.0015)), at(event));
      view.moved();
    },
    { passive: false },
  );

  // ------------------------------------------------------------ keys: the arrows are a pointer, Enter is its button

  stage.addEventListener("keydown", (event) => {
    const active = tool();
    if (active === null) return;
    if (event.key === " ") {
      spaceHeld = true;
      event.preventDefault();
    } else if (event.key in ARROWS) {
      event.preventDefault();
      const [dx, dy] = ARROWS[event.key];
      const step = (event.shiftKey ? 1 : KEY_STEP) / viewport.scale;
      cursor = inside({ x: (cursor?.x ?? center().x) + dx * step, y: (cursor?.y ?? center().y) + dy * step });
      working?.move(cursor, 1);
      view.drawOverlay();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      cursor ??= center();
      if (working === null) {
        working = active;
        working.begin(cursor, 1);
        announce(`Begun at ${Math.round(cursor.x)}, ${Math.round(cursor.y)}. Move with the arrows; Enter ends it.`);
      } else {
        finish("end");
        announce(`Ended at ${Math.round(cursor.x)}, ${Math.round(cursor.y)}.`);
      }
      view.drawOverlay();
    } else if (event.key === "Escape" && working !== null) {
      event.stopPropagation();
      finish("cancel");
      announce("Let go.");
    }
  });
  stage.addEventListener("keyup", (event) => {
    if (event.key === " ") spaceHeld = false;
  });
  stage.addEventListener("blur", () => {
    spaceHeld = false;
    finish("end");
    cursor = null;
  });

  const center = () => viewport.toPicture({ x: viewport.width / 2, y: viewport.height / 2 });
  const inside = (/** @type {Point} */ { x, y }) => {
    const { width, height } = view.studio.bounds;
    return { x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) };
  };
}

/** @param {Point[]} points */
function middle([a, b]) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** @param {Point[]} points */
function spread([a, b]) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

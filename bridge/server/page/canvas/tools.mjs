// The tools that select: a soft brush, a rectangle, a lasso. They work in picture pixels and know no events.

import { intersection } from "../picture/pixels.mjs";

/** @typedef {import("../picture/studio.mjs").Studio} Studio */
/** @typedef {import("../picture/pixels.mjs").Rect} Rect */
/** @typedef {import("../mask/mask.mjs").Point} Point */
/** @typedef {import("./viewport.mjs").Viewport} Viewport */
/** @typedef {{size: number, hardness: number, erase: boolean}} Hand what every tool goes by; size in picture pixels */
/**
 * @typedef {object} Tool
 * @property {(point: Point, pressure: number) => void} begin
 * @property {(point: Point, pressure: number) => void} move
 * @property {() => void} end
 * @property {() => void} cancel
 * @property {(drawing: CanvasRenderingContext2D, viewport: Viewport, at: Point | null) => void} draw
 */

/** A brush's step, as a share of its size. */
const LEAST_MOVE = 1 / 64;

/**
 * @param {Studio} studio
 * @param {Hand} hand
 * @returns {Record<"brush" | "rectangle" | "lasso", Tool>}
 */
export function makeTools(studio, hand) {
  return { brush: brush(studio, hand), rectangle: rectangle(studio, hand), lasso: lasso(studio, hand) };
}

/** @param {Studio} studio @param {Hand} hand @returns {Tool} */
function brush(studio, hand) {
  /** @type {Point | null} */
  let last = null;
  /** @type {[Point, number] | null} a move too small to be worth a large brush's while */
  let pending = null;
  const draw = (/** @type {Point} */ point, /** @type {number} */ pressure) => {
    const { size, hardness, erase } = hand;
    const changed = studio.mask.stroke(last ?? point, point, { radius: (size / 2) * pressure, hardness, erase });
    last = point;
    pending = null;
    if (changed !== null) studio.selecting(changed);
  };
  return {
    begin(point, pressure) {
      studio.mask.begin();
      last = null;
      draw(point, pressure);
    },
    move(point, pressure) {
      if (last !== null && Math.hypot(point.x - last.x, point.y - last.y) < hand.size * LEAST_MOVE) pending = [point, pressure];
      else draw(point, pressure);
    },
    end() {
      if (pending !== null) draw(...pending);
      studio.selected();
    },
    cancel() {
      studio.unselected();
    },
    draw(drawing, viewport, at) {
      if (at === null) return;
      const { x, y } = viewport.toScreen(at);
      const radius = (hand.size / 2) * viewport.scale;
      outline(drawing, (path) => path.arc(x, y, Math.max(1.5, radius), 0, 2 * Math.PI));
      if (hand.hardness < 1) outline(drawing, (path) => path.arc(x, y, radius * hand.hardness, 0, 2 * Math.PI), 0.35);
    },
  };
}

/** @param {Studio} studio @param {Hand} hand @returns {Tool} */
function rectangle(studio, hand) {
  /** @type {[Point, Point] | null} */
  let corners = null;
  return {
    begin(point) {
      corners = [point, point];
    },
    move(point) {
      if (corners !== null) corners = [corners[0], point];
    },
    end() {
      const rect = corners && intersection(spanned(...corners), studio.bounds);
      corners = null;
      if (rect !== null) studio.select(rect, (mask) => mask.cover(rect, () => 255, hand.erase));
    },
    cancel() {
      corners = null;
    },
    draw(drawing, viewport, at) {
      if (corners === null) return cross(drawing, viewport, at);
      const { x, y, width, height } = spanned(...corners);
      const start = viewport.toScreen({ x, y });
      outline(drawing, (path) => path.rect(start.x, start.y, width * viewport.scale, height * viewport.scale));
    },
  };
}

/** @param {Studio} studio @param {Hand} hand @returns {Tool} */
function lasso(studio, hand) {
  /** @type {Point[]} */
  let points = [];
  return {
    begin(point) {
      points = [point];
    },
    move(point) {
      points.push(point);
    },
    end() {
      const rect = intersection(around(points), studio.bounds);
      const outlined = points;
      points = [];
      if (rect === null || outlined.length < 3) return;
      const coverage = filled(outlined, rect);
      studio.select(rect, (mask) => mask.cover(rect, (index) => coverage[4 * index + 3], hand.erase));
    },
    cancel() {
      points = [];
    },
    draw(drawing, viewport, at) {
      if (points.length === 0) return cross(drawing, viewport, at);
      outline(drawing, (path) => {
        for (const point of points) {
          const { x, y } = viewport.toScreen(point);
          path.lineTo(x, y);
        }
      });
    },
  };
}

/**
 * @param {Point} a
 * @param {Point} b
 * @returns {Rect} whole pixels
 */
function spanned(a, b) {
  const [x, y] = [Math.round(Math.min(a.x, b.x)), Math.round(Math.min(a.y, b.y))];
  return { x, y, width: Math.round(Math.max(a.x, b.x)) - x, height: Math.round(Math.max(a.y, b.y)) - y };
}

/** @param {Point[]} points @returns {Rect} whole pixels */
function around(points) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [least, most] = [(/** @type {number[]} */ n) => n.reduce((a, b) => Math.min(a, b)), (/** @type {number[]} */ n) => n.reduce((a, b) => Math.max(a, b))];
  const [x, y] = [Math.floor(least(xs)), Math.floor(least(ys))];
  return { x, y, width: Math.ceil(most(xs)) - x, height: Math.ceil(most(ys)) - y };
}

/**
 * @param {Point[]} points
 * @param {Rect} rect
 * @returns {Uint8ClampedArray} RGBA, whose alpha is the coverage
 */
function filled(points, rect) {
  const drawing = new OffscreenCanvas(rect.width, rect.height).getContext("2d", { willReadFrequently: true });
  if (drawing === null) return new Uint8ClampedArray(4 * rect.width * rect.height);
  drawing.beginPath();
  for (const { x, y } of points) drawing.lineTo(x - rect.x, y - rect.y);
  drawing.fill();
  return drawing.getImageData(0, 0, rect.width, rect.height).data;
}

/**
 * A line that is seen on any picture.
 * @param {CanvasRenderingContext2D} drawing
 * @param {(path: CanvasRenderingContext2D) => void} path
 * @param {number} [strength]
 */
function outline(drawing, path, strength = 1) {
  drawing.beginPath();
  path(drawing);
  drawing.globalAlpha = strength;
  drawing.lineWidth = 2.5;
  drawing.strokeStyle = "rgb(0 0 0 / 55%)";
  drawing.stroke();
  drawing.lineWidth = 1.25;
  drawing.strokeStyle = "white";
  drawing.stroke();
  drawing.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} drawing
 * @param {Viewport} viewport
 * @param {Point | null} at
 */
function cross(drawing, viewport, at) {
  if (at === null) return;
  const { x, y } = viewport.toScreen(at);
  outline(drawing, (path) => {
    path.moveTo(x - 8, y);
    path.lineTo(x + 8, y);
    path.moveTo(x, y - 8);
    path.lineTo(x, y + 8);
  });
}

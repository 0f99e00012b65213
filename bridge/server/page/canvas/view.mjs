// Draws the picture, and over it what is not of the picture: selection, previews, the tool's own marks.

import { MaskFilm } from "./maskfilm.mjs";
import { Viewport } from "./viewport.mjs";

/** @typedef {import("../picture/studio.mjs").Studio} Studio */
/** @typedef {import("../picture/pixels.mjs").Rect} Rect */
/** @typedef {import("./preview.mjs").Preview} Preview */
/** @typedef {(drawing: CanvasRenderingContext2D, viewport: Viewport) => void} Marks */

/** Events: `moved` when the viewport has changed. */
export class View extends EventTarget {
  viewport = new Viewport();
  /** Whether the selection is shown. */
  maskShown = true;
  /** @type {Set<Preview>} */
  previews = new Set();
  /** @type {Marks} what the tool draws */
  marks = () => {};
  #store = new OffscreenCanvas(1, 1);
  /** @type {MaskFilm} */
  #film;
  #due = { picture: false, overlay: false };

  /**
   * @param {Studio} studio
   * @param {HTMLElement} stage
   * @param {HTMLCanvasElement} picture
   * @param {HTMLCanvasElement} overlay
   */
  constructor(studio, stage, picture, overlay) {
    super();
    this.studio = studio;
    this.stage = stage;
    this.picture = picture;
    this.overlay = overlay;
    this.#film = new MaskFilm(studio.mask);
    studio.addEventListener("opened", () => this.#opened());
    studio.addEventListener("pixels", (event) => this.#changed(/** @type {CustomEvent<Rect>} */ (event).detail));
    studio.addEventListener("mask", (event) => {
      this.#film.update(/** @type {CustomEvent<Rect>} */ (event).detail);
      this.drawOverlay();
    });
    new ResizeObserver(() => this.#resized()).observe(stage);
  }

  /** The viewport has changed. */
  moved() {
    this.#draw("picture");
    this.drawOverlay();
    this.dispatchEvent(new Event("moved"));
  }

  drawOverlay() {
    this.#draw("overlay");
  }

  /** @param {"picture" | "overlay"} what */
  #draw(what) {
    if (!this.#due.picture && !this.#due.overlay) requestAnimationFrame(() => this.#frame());
    this.#due[what] = true;
  }

  #frame() {
    if (this.#due.picture) this.#drawPicture();
    if (this.#due.overlay) this.#drawOverlay();
    this.#due = { picture: false, overlay: false };
  }

  #opened() {
    const { composed, mask } = this.studio;
    this.#store.width = composed.width;
    this.#store.height = composed.height;
    this.#film = new MaskFilm(mask);
    this.previews.clear();
    this.viewport.show(composed);
    this.#changed(this.studio.bounds);
    this.moved();
  }

  /** @param {Rect} rect */
  #changed(rect) {
    const { composed } = this.studio;
    const image = new ImageData(composed.data, composed.width, composed.height);
    this.#store.getContext("2d")?.putImageData(image, 0, 0, rect.x, rect.y, rect.width, rect.height);
    this.#draw("picture");
    this.drawOverlay();
  }

  #resized() {
    const { clientWidth, clientHeight } = this.stage;
    for (const canvas of [this.picture, this.overlay]) {
      canvas.width = Math.max(1, Math.round(clientWidth * devicePixelRatio));
      canvas.height = Math.max(1, Math.round(clientHeight * devicePixelRatio));
    }
    this.viewport.resize(clientWidth, clientHeight);
    this.moved();
  }

  #drawPicture() {
    const drawing = cleared(this.picture);
    if (drawing === null || this.studio.base === null) return;
    const { viewport } = this;
    const { width, height } = this.studio.bounds;
    const [across, down] = [width * viewport.scale, height * viewport.scale];
    drawing.fillStyle = drawing.createPattern(checks(), "repeat") ?? "transparent";
    drawing.fillRect(viewport.x, viewport.y, across, down);
    drawing.imageSmoothingEnabled = viewport.scale * devicePixelRatio < 2;
    drawing.imageSmoothingQuality = "high";
    drawing.drawImage(this.#store, viewport.x, viewport.y, across, down);
  }

  #drawOverlay() {
    const drawing = cleared(this.overlay);
    if (drawing === null || this.studio.base === null) return;
    const { viewport } = this;
    drawing.save();
    drawing.translate(viewport.x, viewport.y);
    drawing.scale(viewport.scale, viewport.scale);
    drawing.beginPath();
    drawing.rect(0, 0, this.studio.bounds.width, this.studio.bounds.height);
    drawing.clip();
    drawing.imageSmoothingEnabled = viewport.scale < 2;
    for (const { canvas, context } of this.previews) {
      drawing.drawImage(canvas, context.x, context.y, context.width, context.height);
    }
    if (this.maskShown) {
      const { canvas, step } = this.#film;
      drawing.drawImage(canvas, 0, 0, canvas.width * step, canvas.height * step);
    }
    drawing.restore();
    this.marks(drawing, viewport);
  }
}

/** @param {HTMLCanvasElement} canvas */
function cleared(canvas) {
  const drawing = canvas.getContext("2d");
  if (drawing === null) return null;
  drawing.setTransform(1, 0, 0, 1, 0, 0);
  drawing.clearRect(0, 0, canvas.width, canvas.height);
  drawing.scale(devicePixelRatio, devicePixelRatio);
  return drawing;
}

/** What shows through transparent pixels. */
function checks() {
  const canvas = new OffscreenCanvas(16, 16);
  const drawing = canvas.getContext("2d");
  if (drawing !== null) {
    drawing.fillStyle = "#d6d6d6";
    drawing.fillRect(0, 0, 16, 16);
    drawing.fillStyle = "#bdbdbd";
    drawing.fillRect(0, 0, 8, 8);
    drawing.fillRect(8, 8, 8, 8);
  }
  return canvas;
}

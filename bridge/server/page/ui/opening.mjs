// Pictures come in: chosen, dropped, pasted, or empty. And go out, as PNG.

import { readPicture, savePng } from "../picture/files.mjs";
import { makeRaster } from "../picture/pixels.mjs";
import { byId, inputById } from "./dom.mjs";
import { complain, note } from "./notices.mjs";
import { suitingSide } from "./form.mjs";

/** @typedef {import("../picture/studio.mjs").Studio} Studio */

const LEAST_BLANK = 512;

/** @param {Studio} studio */
export function lookForPictures(studio) {
  const easel = byId("easel");
  const file = inputById("file");
  const choose = () => file.click();
  byId("open").onclick = choose;
  byId("empty-open").onclick = choose;
  file.onchange = () => {
    if (file.files?.length) open(studio, file.files[0]);
    file.value = "";
  };
  byId("blank").onclick = () => {
    const side = Math.max(LEAST_BLANK, suitingSide());
    studio.open(makeRaster(side, side, 255), "picture");
  };

  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    easel.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) easel.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    easel.classList.remove("over");
    take(studio, event.dataTransfer);
  });
  document.addEventListener("paste", (event) => take(studio, event.clipboardData));

  byId("download").onclick = () => download(studio);
  studio.addEventListener("opened", () => {
    byId("empty").hidden = true;
    byId("tools").hidden = false;
    inputById("download").disabled = false;
    byId("overlay").classList.add("ready");
    byId("overlay").focus();
  });
  addEventListener("beforeunload", (event) => {
    if (studio.unsaved) event.preventDefault();
  });
  return choose;
}

/**
 * The flattened picture.
 * @param {Studio} studio
 */
export async function download(studio) {
  try {
    await savePng(studio.composed, `${studio.name}-painted.png`);
    studio.unsaved = false;
  } catch (error) {
    complain(error);
  }
}

/**
 * @param {Studio} studio
 * @param {DataTransfer | null} data
 */
function take(studio, data) {
  const found = [...(data?.files ?? [])].find((file) => file.type.startsWith("image/"));
  if (found !== undefined) open(studio, found);
  else if (data?.files.length) complain(new Error("That is no picture."));
}

/**
 * @param {Studio} studio
 * @param {File} file
 */
async function open(studio, file) {
  if (studio.unsaved && !confirm("Open another picture? What was painted here has not been downloaded.")) return;
  try {
    const { raster, notes } = await readPicture(file);
    studio.open(raster, file.name.replace(/\.[^.]*$/, "") || "picture");
    notes.forEach(note);
  } catch {
    complain(new Error(`${file.name || "The picture"} cannot be read: is it a PNG, JPEG or WebP of at most 64 megapixels?`));
  }
}

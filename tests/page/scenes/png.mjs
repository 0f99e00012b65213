// Reads PNGs as the page does, and writes them again: node png.mjs FOLDER; each NAME.png gives NAME.rgba and NAME.out.png.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodePng, encodePng, readHeader } from "../../../bridge/server/page/picture/png.mjs";

const folder = process.argv[2];
for (const name of readdirSync(folder).filter((name) => name.endsWith(".png"))) {
  const file = new Uint8Array(readFileSync(join(folder, name)));
  const raster = await decodePng(file, readHeader(file));
  writeFileSync(join(folder, name.replace(".png", ".rgba")), raster.data);
  writeFileSync(join(folder, name.replace(".png", ".out.png")), new Uint8Array(await (await encodePng(raster)).arrayBuffer()));
}

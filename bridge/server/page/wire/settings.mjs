// A job's settings by their fields' names, and in the groups in which they travel.

import { FIELDS } from "./fields.mjs";

/**
 * @param {Record<string, unknown>} values by the fields' names
 * @returns {Record<string, any>} as `plan` and `submit` have them
 */
export function grouped(values) {
  /** @type {Record<string, any>} */
  const settings = {};
  for (const { name, group } of FIELDS) {
    if (!(name in values)) continue;
    if (group === null) settings[name] = values[name];
    else (settings[group] ??= {})[name] = values[name];
  }
  return settings;
}

/**
 * @param {Record<string, any>} settings of a recipe, in which defaults are left out
 * @returns {Record<string, any>} all values by the fields' names
 */
export function flat(settings) {
  return Object.fromEntries(
    FIELDS.map(({ name, group, default: usual }) => [name, (group === null ? settings : settings[group])?.[name] ?? usual]),
  );
}

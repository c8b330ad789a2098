/** Keys and list positions from the top of the file down to one value. */
export type ConfigPath = readonly (string | number)[];

/** Longest key that is shown in full. */
const shownCharacters = 60;

/** `plugins.event-store.retention`, `projects[2].slug`; always one line, odd keys in quotes. */
export function pathText(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]{1,60}$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${quoted(step)}]`;
  }
  return text;
}

/** The text in double quotes, without line breaks or other control characters, cut where it is long. */
export function quoted(text: string): string {
  const cut = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
  return JSON.stringify(cut).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, "�");
}

/** One text per path, to look paths up in a Map. */
export function pathKey(path: ConfigPath): string {
  return JSON.stringify(path);
}

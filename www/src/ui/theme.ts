/** Puts the theme on the document, remembers the choice, follows the system. */
import { parseParams } from "../lib/params.js";
import { palettes, resolveTheme, themeChoice, toggled, type ThemeChoice, type ThemeName } from "../lib/theme.js";
import { memory } from "./dom.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<(t: ThemeName) => void>();
let choice: ThemeChoice = "auto";

export function currentTheme(): ThemeName {
  return resolveTheme(choice, system.matches);
}

function apply(): void {
  const theme = currentTheme();
  document.documentElement.dataset["theme"] = theme;
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", palettes[theme].background);
  for (const l of listeners) l(theme);
}

export function applyStoredTheme(): void {
  choice = themeChoice(parseParams(location.search).theme, memory.get("theme"));
  system.addEventListener("change", apply);
  apply();
}

export function toggleTheme(): void {
  choice = toggled(choice, system.matches);
  memory.set("theme", choice);
  apply();
}

export function onTheme(listener: (t: ThemeName) => void): void {
  listeners.add(listener);
}

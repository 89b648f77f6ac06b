/** Which theme the page wears, and the colours of the terminal in each. */

export type ThemeName = "dark" | "light";
/** What the user chose; "auto" follows the system. */
export type ThemeChoice = ThemeName | "auto";

export interface Palette {
  background: string;
  foreground: string;
  cursor: string;
  cursorAccent: string;
  selectionBackground: string;
  /** The sixteen colours: eight normal, eight bright. */
  ansi: readonly string[];
}

export function isThemeChoice(s: unknown): s is ThemeChoice {
  return s === "dark" || s === "light" || s === "auto";
}

/** The address decides over the memory, the memory over the system. */
export function themeChoice(param: string | undefined, stored: string | null): ThemeChoice {
  if (isThemeChoice(param)) return param;
  if (isThemeChoice(stored)) return stored;
  return "auto";
}

export function resolveTheme(choice: ThemeChoice, systemIsDark: boolean): ThemeName {
  if (choice !== "auto") return choice;
  return systemIsDark ? "dark" : "light";
}

/**
 * What the switch does: it always changes what is seen, and goes back to "auto" when that is
 * what the system says, so a user who never wanted an opinion gets rid of it again.
 */
export function toggled(choice: ThemeChoice, systemIsDark: boolean): ThemeChoice {
  const next: ThemeName = resolveTheme(choice, systemIsDark) === "dark" ? "light" : "dark";
  return next === (systemIsDark ? "dark" : "light") ? "auto" : next;
}

/**
 * Every colour but black (in the dark) and white (in the light) has a contrast of 4.5 or more. None is quite the foreground
 * (see `mendInverse`).
 */
export const palettes: Record<ThemeName, Palette> = {
  dark: {
    background: "#14171c",
    foreground: "#d9dde4",
    cursor: "#8fb8ff",
    cursorAccent: "#14171c",
    selectionBackground: "#33465f",
    ansi: [
      "#2a2f38", "#ff8080", "#86c98a", "#e0b860", "#82aaff", "#cf9cf0", "#6cc7d4", "#d9dde3",
      "#8b94a3", "#ffa3a3", "#a8e0ab", "#f2d28a", "#a9c5ff", "#e2bdfa", "#97dfe8", "#ffffff",
    ],
  },
  light: {
    background: "#ffffff",
    foreground: "#22262e",
    cursor: "#1f5fbf",
    cursorAccent: "#ffffff",
    selectionBackground: "#c5d9f7",
    ansi: [
      "#22262d", "#b3261e", "#1e6e2e", "#7a5300", "#1f5fbf", "#8a2fa8", "#0f6a78", "#5d6673",
      "#6a7380", "#c5352c", "#2a7a3a", "#875f0a", "#3a6fc9", "#9a48b5", "#1f7482", "#3d444f",
    ],
  },
};

/** Trying again: when, and whether it makes sense. */

/** 1 s, 2 s, 4 s ... 30 s, each up to a quarter longer, so a crowd of pages does not come back at once. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const base = Math.min(1000 * 2 ** Math.min(attempt, 10), 30_000);
  return Math.round(base * (1 + random() / 4));
}

/** Whether an error looks like a lost network: only then another try can help without the user. */
export function isNetworkError(error: unknown): boolean {
  const text = errorText(error);
  // fetch() in Chromium, Firefox, Safari; dynamic import() in the first two; time-outs and servers in trouble; the machine's own words.
  return /\bno network\b|failed to fetch|networkerror|load failed|network ?(changed|error|connection)|error loading dynamically imported|dynamically imported module|timed? ?out|\b(408|429|500|502|503|504)\b|offline/i.test(text);
}

export function errorText(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  if (typeof error === "string") return error;
  if (error && typeof error === "object" && "message" in error) return String((error as { message: unknown }).message);
  return String(error);
}

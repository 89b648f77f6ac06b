/** Where a link in the terminal may lead: http and https, nothing else, and nothing that hides the host. */
export function linkTarget(text: string): URL | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  // https://bank.example@evil.example: the part before the @ is there to be misread.
  if (url.username !== "" || url.password !== "") return undefined;
  return url;
}

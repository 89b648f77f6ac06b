/** What of a pasted text reaches the program. */

/**
 * Without the controls that a terminal would obey or a shell run: a page could put them into a
 * copied text unseen, and an ESC[201~ among them would end a bracketed paste early. Tabs and line
 * ends stay.
 */
export function pasteText(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
